//! How flags are used: those that nobody may need any more, how often which variants were given, and where programs name
//! them.

use axum::response::Response;
use control::Error;
use control::flag::ExportsWanted;
use control::resource::Condition;
use domain::Code;
use domain::flag::{
    CodeReference, CodeScan, CodeScanned, FeatureFlag, FeatureFlagUse, FlagCodeReferences, FlagEvaluations,
    FlagExports, FlagProtocol,
};
use domain::id::FeatureFlagId;
use http::StatusCode;
use serde_json::json;

use super::{COLLECTION, TAG};
use crate::answer;
use crate::call::{Call, invalid};
use crate::crud;
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, moment, one_of, text};

/// The most bytes of what was found in a repository.
const SCAN_BYTES_MAX: usize = 4 << 20;
/// The filter that asks for flags that nobody may need any more.
const STALE: &str = "filter[stale]";
/// The parameter that says in whose words flags are given.
const PROTOCOL: &str = "protocol";

/// `read_feature_flag_evaluations`, `read_feature_flag_code_references`, `replace_flag_code_references`,
/// `read_feature_flag_exports`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![evaluations(), code_references(), scanned(), exports()]
}

/// `list_feature_flags`, which can be asked for those that nobody may need any more.
pub(super) fn list() -> Endpoint {
    crud::list::<FeatureFlag>()
        .takes(Parameter::query(
            STALE,
            "Only those that nobody may need any more (`true`): `stale` says why.",
            one_of(&["true"]),
        ))
        .to(|call| async move { answer_list(call).await })
}

async fn answer_list(call: Call) -> Result<Response, Error> {
    let conditions = match call.query(STALE) {
        None => Vec::new(),
        Some("true") => {
            let stale = call.control().stale_flags(&call.caller).await?;
            let ids = stale.iter().map(ToString::to_string).collect();
            vec![Condition::In("id", ids)]
        }
        Some(_) => return Err(invalid(STALE, &"it is `true`, or absent")),
    };
    crud::answer_list::<FeatureFlag>(call, conditions).await
}

/// How flags are used, in their order.
pub(super) async fn uses(call: &Call, flags: &[FeatureFlag]) -> Result<Vec<FeatureFlagUse>, Error> {
    let mut uses = call.control().flag_uses(flags).await?;
    let each = flags.iter().map(|flag| uses.remove(&flag.id).unwrap_or_default());
    Ok(each.collect())
}

fn evaluations() -> Endpoint {
    Endpoint::get(
        format!("{COLLECTION}/{{id}}/evaluations"),
        "read_feature_flag_evaluations",
    )
    .tag(TAG)
    .says(
        "Read how often which variants of a feature flag were given",
        "By day in UTC, environment and variant; days without evaluations are left out. Counts are kept for 100 days.",
    )
    .takes_id::<FeatureFlagId>("The flag's id.")
    .takes(Parameter::query(
        "from",
        "From the day of this moment on; 30 days until `to` if absent.",
        moment(),
    ))
    .takes(Parameter::query(
        "to",
        "Before this moment; until now if absent.",
        moment(),
    ))
    .answers::<FlagEvaluations>(200, "The counts.")
    .to(|call| async move {
        let span = (call.query_as("from")?, call.query_as("to")?);
        let found = call
            .control()
            .flag_evaluations(&call.caller, call.id()?, span)
            .await?;
        answer::json(StatusCode::OK, &found)
    })
}

fn exports() -> Endpoint {
    Endpoint::get(format!("{COLLECTION}/exports"), "read_feature_flag_exports")
        .tag(TAG)
        .says(
            "Read which feature flags cannot be said in the words of other products",
            "Programs with SDKs of Unleash, GrowthBook and flagd are given the flags to evaluate by themselves. A flag that they \
             would give somebody another variant of is left out there: this tells which, and why.",
        )
        .takes(Parameter::query(
            "environment",
            "Only in the environment of this name.",
            text(100),
        ))
        .takes(Parameter::query("flag", "Only the flag with this key.", text(100)))
        .takes(Parameter::query(
            PROTOCOL,
            "Only what programs of this product are not given.",
            one_of(&FlagProtocol::ALL.map(FlagProtocol::as_str)),
        ))
        .takes(Parameter::query(
            "limit",
            "The most that are told of; all if absent. `counts` counts all of them.",
            json!({ "type": "integer", "minimum": 0 }),
        ))
        .answers::<FlagExports>(200, "What is left out.")
        .to(|call| async move {
            let wanted = ExportsWanted {
                environment: call.query_as("environment")?,
                flag: call.query_as("flag")?,
                protocol: call.query(PROTOCOL).map(protocol).transpose()?,
                limit: call.query_as::<u32>("limit")?.map(|limit| limit as usize),
            };
            let found = call.control().flag_exports(&call.caller, wanted).await?;
            answer::json(StatusCode::OK, &found)
        })
}

fn protocol(text: &str) -> Result<FlagProtocol, Error> {
    let known = FlagProtocol::ALL.into_iter().find(|it| it.as_str() == text);
    known.ok_or_else(|| {
        let words = FlagProtocol::ALL.map(FlagProtocol::as_str).join("`, `");
        invalid(PROTOCOL, &format!("it is one of `{words}`"))
    })
}

fn code_references() -> Endpoint {
    Endpoint::get(
        format!("{COLLECTION}/{{id}}/code-references"),
        "read_feature_flag_code_references",
    )
    .tag(TAG)
    .says(
        "Read where programs name a feature flag",
        "As `gateline flags scan --upload` has found it, repository by repository.",
    )
    .takes_id::<FeatureFlagId>("The flag's id.")
    .answers::<FlagCodeReferences>(200, "The places.")
    .to(|call| async move {
        let found = call
            .control()
            .flag_code_references(&call.caller, call.id()?)
            .await?;
        answer::json(StatusCode::OK, &found)
    })
}

fn scanned() -> Endpoint {
    let example = CodeScan {
        repository: "shop".to_owned(),
        commit: Some("4f0c2a1".to_owned()),
        references: vec![CodeReference {
            flag: "new-checkout".parse().expect("it is a key"),
            path: "src/checkout.ts".to_owned(),
            line: 12,
        }],
    };
    Endpoint::put(
        format!("{COLLECTION}/code-references"),
        "replace_flag_code_references",
    )
    .without_precondition()
    .tag(TAG)
    .says(
        "Keep where a repository names feature flags",
        "All that was found there, in place of what was found before; none removes it. At most 10,000 places of a \
         repository and 200 repositories are kept.",
    )
    .body(&example)
    .body_as(|body| body.bytes_max = SCAN_BYTES_MAX)
    .answers::<CodeScanned>(200, "It is kept.")
    .refuses(&[Code::Conflict])
    .to(|call| async move {
        let kept = call
            .control()
            .keep_code_references(&call.caller, call.json()?)
            .await?;
        answer::json(StatusCode::OK, &kept)
    })
}
