//! GrowthBook's cases for its SDKs: a folder with files of suites, `{"hash": [[…], …]}`, where each case is a list.

use std::error::Error;
use std::path::Path;

use dialects::growthbook::{self, Evaluator, Payload, User, bucketing, crypt, sticky, url};
use serde_json::{Map, Value as Json, json};

use crate::Score;

/// What GrowthBook wrote, and what the makers of one of its SDKs added.
const FILES: [&str; 2] = ["cases.json", "rust.json"];

/// Says what is wrong.
type Outcome = Result<(), String>;

/// Runs all cases of a folder.
pub(crate) fn run(path: &Path) -> Result<Score, Box<dyn Error>> {
    let mut score = Score::default();
    for file in FILES {
        let text = std::fs::read_to_string(path.join(file))?;
        let suites: Map<String, Json> = serde_json::from_str(&text)?;
        all(&mut score, &suites, "");
    }
    Ok(score)
}

fn all(score: &mut Score, suites: &Map<String, Json>, within: &str) {
    for (name, cases) in suites {
        match cases {
            Json::Object(suites) => all(score, suites, &format!("{name}.")),
            Json::Array(cases) => {
                for case in cases {
                    let outcome = one(name, case);
                    let said = || {
                        format!(
                            "{within}{name}: {}: {}",
                            case[0],
                            outcome.clone().err().unwrap_or_default()
                        )
                    };
                    score.case(outcome.is_ok(), said);
                }
            }
            // The version of the specification.
            _ => {}
        }
    }
}

fn one(kind: &str, case: &Json) -> Outcome {
    match kind {
        "evalCondition" => same(
            &json!(growthbook::fits(&case[1], &case[2], &object(&case[4]))),
            &case[3],
        ),
        "pruneCondition" => same(
            &growthbook::prune(&case[1], &object(&case[2]), &object(&case[4])),
            &case[3],
        ),
        "reducePayload" => reduce(case),
        "hash" => {
            let found = bucketing::hash(text(&case[0]), text(&case[1]), number(&case[2]));
            same(&json!(found), &case[3])
        }
        "getBucketRange" => ranges(case),
        "chooseVariation" => {
            let place = bucketing::variation(number(&case[1]), &read_ranges(&case[2]));
            same(&place.map_or(json!(-1), |place| json!(place)), &case[3])
        }
        "getQueryStringOverride" => {
            let count = case[3].as_u64().unwrap_or(0) as usize;
            same(
                &json!(url::variation(text(&case[2]), text(&case[1]), count)),
                &case[4],
            )
        }
        "inNamespace" => {
            let range = (number(&case[2][1]), number(&case[2][2]));
            same(
                &json!(bucketing::is_in_namespace(
                    text(&case[1]),
                    text(&case[2][0]),
                    range
                )),
                &case[3],
            )
        }
        "getEqualWeights" => {
            let count = usize::try_from(case[0].as_i64().unwrap_or(0)).unwrap_or(0);
            near(&json!(bucketing::equal_weights(count)), &case[1])
        }
        "decrypt" => same(
            &json!(crypt::decrypt(text(&case[1]), text(&case[2])).ok()),
            &case[3],
        ),
        "feature" | "contextualBandit" => feature(case),
        "run" => experiment(case),
        "stickyBucket" => sticky_bucket(case),
        "urlRedirect" => redirect(case),
        _ => Err("nobody knows such cases".to_owned()),
    }
}

fn reduce(case: &Json) -> Outcome {
    let mut attributes = object(&case[1]["globalAttributes"]);
    attributes.extend(object(&case[1]["attributes"]));
    let wanted: growthbook::Wanted =
        serde_json::from_value(case[1].clone()).map_err(|error| error.to_string())?;
    same(
        &growthbook::reduce(&case[1]["payload"], &attributes, &wanted),
        &case[2],
    )
}

fn ranges(case: &Json) -> Outcome {
    let [variations, coverage, weights] = [&case[1][0], &case[1][1], &case[1][2]];
    let weights: Option<Vec<f64>> = weights
        .as_array()
        .map(|weights| weights.iter().map(number).collect());
    let count = variations.as_u64().unwrap_or(0) as usize;
    near(
        &json!(bucketing::ranges(count, number(coverage), weights.as_deref())),
        &case[2],
    )
}

fn feature(case: &Json) -> Outcome {
    let (payload, user) = (Payload::of(&case[1]), user(&case[1]));
    let found = json!(Evaluator::new(&payload, &user).feature(text(&case[2])));
    // Some cases say only a part of what is found.
    let wanted = object(&case[3]);
    let found: Map<_, _> = object(&found)
        .into_iter()
        .filter(|(key, _)| wanted.contains_key(key))
        .collect();
    same(&found.into(), &case[3])
}

fn experiment(case: &Json) -> Outcome {
    let (payload, user) = (Payload::of(&case[1]), user(&case[1]));
    let found = Evaluator::new(&payload, &user).experiment(&object(&case[2]));
    same(
        &json!([found.value, found.in_experiment, found.hash_used]),
        &json!([case[3], case[4], case[5]]),
    )
}

fn sticky_bucket(case: &Json) -> Outcome {
    let (payload, user) = (Payload::of(&case[1]), user(&case[1]));
    let kept: Vec<sticky::Assignments> =
        serde_json::from_value(case[2].clone()).map_err(|error| error.to_string())?;
    let kept = sticky::of_user(&payload, &user, kept);
    let mut evaluator = Evaluator::sticky(&payload, &user, kept);
    let found = evaluator.feature(text(&case[3])).experiment_result;
    same(&json!([found, evaluator.into_kept()]), &json!([case[4], case[5]]))
}

fn redirect(case: &Json) -> Outcome {
    let (payload, user) = (Payload::of(&case[1]), user(&case[1]));
    let found = Evaluator::new(&payload, &user).redirect();
    let found: Vec<_> = found
        .into_iter()
        .map(|found| json!({ "inExperiment": true, "urlRedirect": found.url, "urlWithParams": found.url_with_query }))
        .collect();
    same(&found.into(), &case[2])
}

fn user(context: &Json) -> User {
    let mut user = User::new(object(&context["attributes"]));
    user.url = context["url"].as_str().map(str::to_owned);
    user.is_enabled = context["enabled"] != Json::Bool(false);
    user.is_testing = context["qaMode"] == Json::Bool(true);
    let forced = object(&context["forcedVariations"]).into_iter();
    user.forced_variations = forced
        .filter_map(|(key, place)| Some((key, place.as_i64()?)))
        .collect();
    if let Some(ids) = context["remoteGroupIds"].as_array() {
        user.put_remote_groups(ids.iter().map(|id| text(id).to_owned()).collect());
    }
    user
}

fn object(value: &Json) -> Map<String, Json> {
    value.as_object().cloned().unwrap_or_default()
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or(1.0)
}

fn read_ranges(ranges: &Json) -> Vec<(f64, f64)> {
    serde_json::from_value(ranges.clone()).unwrap_or_default()
}

fn same(found: &Json, wanted: &Json) -> Outcome {
    match is_same(found, wanted, 0.0) {
        true => Ok(()),
        false => Err(format!("{found}, not {wanted}")),
    }
}

/// For numbers that the cases write with eight digits.
fn near(found: &Json, wanted: &Json) -> Outcome {
    match is_same(found, wanted, 1e-8) {
        true => Ok(()),
        false => Err(format!("{found}, not {wanted}")),
    }
}

fn is_same(found: &Json, wanted: &Json, within: f64) -> bool {
    match (found, wanted) {
        (Json::Number(found), Json::Number(wanted)) => {
            let (found, wanted) = (found.as_f64(), wanted.as_f64());
            found
                .zip(wanted)
                .is_some_and(|(found, wanted)| (found - wanted).abs() <= within)
        }
        (Json::Array(found), Json::Array(wanted)) => {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| is_same(found, wanted, within))
        }
        (Json::Object(found), Json::Object(wanted)) => {
            found.len() == wanted.len()
                && found.iter().all(|(key, value)| {
                    let wanted = wanted.get(key);
                    wanted.is_some_and(|wanted| is_same(value, wanted, within))
                })
        }
        _ => found == wanted,
    }
}
