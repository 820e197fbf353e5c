use http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc;

use super::context::TRACEPARENT;
use super::{Figures, Sampler, Tracer, Traces};
use crate::core::Ids;

fn settings(sampler: Sampler, ratio: f64) -> Traces {
    let text = serde_json::json!({
        "endpoint": "http://127.0.0.1:1", "sampler": sampler, "sampler_ratio": ratio,
    });
    serde_json::from_value(text).unwrap()
}

fn tracer(sampler: Sampler, ratio: f64) -> Tracer {
    let (queue, _) = mpsc::channel(1);
    Tracer::new(
        &settings(sampler, ratio),
        queue,
        std::sync::Arc::new(Figures::default()),
    )
}

fn parent(trace: u128, flags: u8) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("00-{trace:032x}-00f067aa0ba902b7-{flags:02x}")).unwrap();
    HeaderMap::from_iter([(TRACEPARENT, value)])
}

#[test]
fn a_parent_decides_unless_the_setting_says_otherwise() {
    use Sampler::{ParentbasedTraceidratio, Traceidratio};
    let (ids, none) = (Ids::new(), HeaderMap::new());
    let low = 1_u128;
    let high = u128::from(u64::MAX);
    let table = [
        (ParentbasedTraceidratio, 1.0, parent(low, 0), false),
        (ParentbasedTraceidratio, 0.0, parent(high, 1), true),
        (ParentbasedTraceidratio, 0.0, none.clone(), false),
        (ParentbasedTraceidratio, 1.0, none.clone(), true),
        (Traceidratio, 1.0, parent(high, 0), true),
        (Traceidratio, 0.0, parent(low, 1), false),
        (Traceidratio, 0.5, parent(low, 0), true),
        (Traceidratio, 0.5, parent(high, 1), false),
        // What is no parent does not decide.
        (ParentbasedTraceidratio, 1.0, parent(0, 0), true),
    ];
    for (sampler, ratio, headers, expected) in table {
        let sampled = tracer(sampler, ratio).sample(&headers, &ids);
        assert_eq!(sampled.is_some(), expected, "{sampler:?} {ratio} {headers:?}");
    }
}

#[test]
fn about_as_many_are_sampled_as_the_ratio_says() {
    let (tracer, ids) = (tracer(Sampler::default(), 0.25), Ids::new());
    let none = HeaderMap::new();
    let sampled = (0..10_000)
        .filter(|_| tracer.sample(&none, &ids).is_some())
        .count();
    assert!((2000..3000).contains(&sampled), "{sampled}");
}

#[test]
fn a_span_belongs_to_its_parent_s_trace_and_has_an_id_of_its_own() {
    let (tracer, ids) = (tracer(Sampler::default(), 1.0), Ids::new());
    let mut headers = parent(7, 1);
    for state in ["a=1", "b=2,c=3"] {
        headers.append("tracestate", HeaderValue::from_static(state));
    }
    let context = tracer.sample(&headers, &ids).unwrap();
    assert_eq!((context.trace, context.parent), (7, 0x00f0_67aa_0ba9_02b7));
    assert_eq!(context.state, "a=1,b=2,c=3");
    assert_ne!(context.span, context.parent);
    let root = tracer.sample(&HeaderMap::new(), &ids).unwrap();
    assert_eq!((root.parent, &*root.state), (0, ""));
}

#[test]
fn numbers_out_of_range_are_refused_with_their_names() {
    type Change = fn(&mut Traces);
    let table: [(Change, &str); 5] = [
        (
            |traces| traces.timeout_ms = 99,
            "gateway.traces.timeout_ms: from 100 to 60000",
        ),
        (
            |traces| traces.sampler_ratio = 1.5,
            "gateway.traces.sampler_ratio: from 0 to 1",
        ),
        (
            |traces| traces.sampler_ratio = f64::NAN,
            "gateway.traces.sampler_ratio: from 0 to 1",
        ),
        (
            |traces| traces.max_queue_size = 0,
            "gateway.traces.max_queue_size: from 1 to 1000000",
        ),
        (
            |traces| traces.schedule_delay_ms = 9,
            "gateway.traces.schedule_delay_ms: from 10 to 60000",
        ),
    ];
    for (change, expected) in table {
        let mut traces = settings(Sampler::default(), 1.0);
        change(&mut traces);
        assert_eq!(traces.check().unwrap_err().to_string(), expected);
    }
    assert!(settings(Sampler::default(), 0.5).check().is_ok());
}
