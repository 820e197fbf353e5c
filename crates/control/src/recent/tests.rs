use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::debug::DebugKey;
use domain::explain::TriedRoute;
use domain::id::{ApplicationId, KeyId, NodeId, OrganizationId, RequestId, RouteId, UpstreamId};
use domain::identity::Role;
use domain::node::{NodeState, NodeStatus};
use domain::recent::{
    CallCaller, CallExplanation, CallLimit, CallRouting, CallStep, CallTiming, CallUpstream, DebugTokenSpec,
    ExplainedCall, Noted, Remembered, StepVerdict,
};
use domain::traffic::Route;
use serde_json::json;
use store::entity::{self, Condition};
use store::{Arg, Store, on_both};
use uuid::Uuid;

use crate::fixture::{World, detail, from, member, refusal};
use crate::{Control, Error};

const ID: &str = "req-of-somebody";

fn call(at: i64, route: Option<RouteId>, consumer: OrganizationId) -> ExplainedCall {
    ExplainedCall {
        request_id: ID.to_owned(),
        id: RequestId::new(Uuid::now_v7()),
        node_id: None,
        environment: "sandbox".parse().unwrap(),
        noted: Noted::Summary,
        started_at: Timestamp::from_micros(at),
        method: "GET".to_owned(),
        path: None,
        status: 200,
        code: None,
        snapshot_revision: Some(3),
        routing: CallRouting {
            tried: vec![TriedRoute {
                route_id: route,
                host: None,
                base_path: None,
                priority: None,
                fits: false,
                missed: Some("/match/methods".to_owned()),
            }],
            missed: 1,
            route_id: route,
            variant: Some(from(json!({
                "name": "green", "reason": "forced_by_header", "why": "The header `x-variant` asked for it.",
                "by_name": "x-variant", "buckets": 10, "buckets_from": 0, "buckets_until": 5, "details": [],
            }))),
            ..CallRouting::default()
        },
        caller: Some(CallCaller {
            organization_id: consumer,
            application_id: ApplicationId::new(Uuid::now_v7()),
            key_id: KeyId::new(Uuid::now_v7()),
            subscription_id: None,
            plan_id: None,
        }),
        steps: vec![CallStep {
            kind: "key_auth".to_owned(),
            policy_id: None,
            verdict: StepVerdict::Passed,
            details: vec!["something of the provider's".to_owned()],
            took_ns: None,
        }],
        limits: ["plan_rate", "address"].map(limit).into(),
        cost: 1,
        delay_us: 0,
        upstream: Some(CallUpstream {
            upstream_id: UpstreamId::new(Uuid::now_v7()),
            algorithm: "only".to_owned(),
            tries: Vec::new(),
            candidates: Vec::new(),
            fallback: None,
            fallback_age_seconds: None,
        }),
        bytes_in: 1,
        bytes_out: 2,
        timing: CallTiming::default(),
    }
}

fn limit(name: &str) -> CallLimit {
    CallLimit {
        name: name.to_owned(),
        limit: 5,
        window_seconds: Some(60),
        remaining: 4,
        reset_seconds: None,
        over: None,
    }
}

fn remembered(provider: Option<OrganizationId>, call: ExplainedCall) -> Remembered {
    Remembered {
        provider,
        asked_by: None,
        call,
    }
}

/// A node that reports and answers every question with the same calls.
async fn node(control: &Control, calls: Vec<Remembered>) -> (NodeId, tokio::task::JoinHandle<()>) {
    let id = NodeId::new(Uuid::now_v7());
    let status = NodeStatus {
        environment: "sandbox".parse().unwrap(),
        revision: 3,
        state: NodeState::Applied,
        reason: String::new(),
        health: None,
        mirrors: None,
        flags: Vec::new(),
    };
    control.note_node(id, status).await.unwrap();
    let control = control.clone();
    let task = tokio::spawn(async move {
        loop {
            for question in control.questions(id).await.unwrap() {
                assert_eq!(question.request_id, ID);
                control.answer(id, &question.id, &calls).await.unwrap();
            }
        }
    });
    (id, task)
}

async fn route(world: &World) -> Route {
    let api = world.shop().await.api;
    let conditions = [Condition::Is("api_id", Arg::text(api))];
    let found = entity::find::<Route>(&mut world.control.store(), &conditions).await;
    found.unwrap().unwrap()
}

async fn ask(world: &World, caller: &crate::Caller) -> Result<CallExplanation, Error> {
    world.control.explain_request(caller, ID).await
}

on_both! {
    async fn calls_are_told_to_whom_they_concern_and_nobody_else(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (world.acme.organization().unwrap(), world.globex.organization().unwrap());
        let own = route(&world).await;
        let calls = vec![remembered(Some(acme), call(1, Some(own.id), globex))];
        let (id, task) = node(&world.control, calls).await;

        let told = ask(&world, &world.acme).await.unwrap();
        assert_eq!((told.nodes_asked, told.nodes_answered), (1, 1));
        let [full] = told.calls.as_slice() else { panic!("{told:?}") };
        assert_eq!((full.node_id, full.noted), (Some(id), Noted::Summary));
        assert_eq!(full.routing.why.as_deref(), Some("It takes any host below `/shop`."));
        assert_eq!(full.routing.tried[0].base_path.as_deref(), Some("/shop"));
        assert_eq!(full.routing.variant.as_ref().unwrap().name.as_str(), "green");

        let told = ask(&world, &world.globex).await.unwrap();
        let [reduced] = told.calls.as_slice() else { panic!("{told:?}") };
        assert_eq!((reduced.noted, reduced.node_id), (Noted::Consumer, None));
        assert!(reduced.upstream.is_none() && reduced.steps.is_empty() && reduced.routing.tried.is_empty());
        assert_eq!((reduced.routing.route_id, reduced.routing.missed), (None, 0));
        assert_eq!(reduced.routing.variant, None);
        let limits: Vec<_> = reduced.limits.iter().map(|limit| &*limit.name).collect();
        assert_eq!(limits, ["plan_rate"]);

        let stranger = member(OrganizationId::new(Uuid::now_v7()), Role::Owner);
        assert_eq!(refusal(ask(&world, &stranger).await).0, "not_found");
        task.abort();
    }

    async fn a_call_that_no_route_took_is_told_to_whose_token_it_carried(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.organization().unwrap();
        let mut one = remembered(None, call(1, None, OrganizationId::new(Uuid::now_v7())));
        one.asked_by = Some(acme);
        let (_, task) = node(&world.control, vec![one]).await;
        assert_eq!(ask(&world, &world.acme).await.unwrap().calls.len(), 1);
        assert_eq!(refusal(ask(&world, &world.globex).await).0, "not_found");
        task.abort();
    }

    async fn nodes_of_another_control_plane_answer_and_dead_ones_are_not_waited_for(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.organization().unwrap();
        let status = NodeStatus {
            environment: "sandbox".parse().unwrap(),
            revision: 3,
            state: NodeState::Applied,
            reason: String::new(),
            health: None,
            mirrors: None,
            flags: Vec::new(),
        };
        world.control.note_node(NodeId::new(Uuid::now_v7()), status).await.unwrap();
        world.pass(Duration::from_secs(61));
        let now = world.control.now();
        let other = Control::new(Store::open(&url).await.unwrap(), Arc::new(move || now)).unwrap();
        let consumer = OrganizationId::new(Uuid::now_v7());
        let calls = |at| vec![remembered(Some(acme), call(at, None, consumer))];
        let (_, here) = node(&world.control, calls(1)).await;
        let (_, there) = node(&other, calls(2)).await;
        let told = ask(&world, &world.acme).await.unwrap();
        assert_eq!((told.nodes_asked, told.nodes_answered), (2, 2));
        let times: Vec<_> = told.calls.iter().map(|call| call.started_at.as_micros()).collect();
        assert_eq!(times, [2, 1]);
        here.abort();
        there.abort();
    }

    async fn nothing_is_left_of_a_question(url: String) {
        let world = World::new(&url).await;
        let (_, task) = node(&world.control, Vec::new()).await;
        let told = detail(ask(&world, &world.acme).await);
        assert!(told.contains("1 of 1 nodes answered"), "{told}");
        let left = store::question::since(&mut world.control.store(), Timestamp::from_micros(0)).await;
        assert_eq!(left.unwrap(), []);
        // An answer that comes too late is forgotten.
        world.control.answer(NodeId::new(Uuid::now_v7()), "gone", &[]).await.unwrap();
        for id in ["", "a b", &"x".repeat(129)] {
            let refused = world.control.explain_request(&world.acme, id).await;
            assert_eq!(refusal(refused).0, "parameter_invalid");
        }
        task.abort();
    }

    async fn a_debug_token_is_read_by_nodes_and_noted_without_its_text(url: String) {
        let world = World::new(&url).await;
        let own = route(&world).await;
        let spec: DebugTokenSpec = from(json!({ "route_id": own.id, "lifetime_seconds": 30 }));
        let token = world.control.create_debug_token(&world.acme, &spec).await.unwrap();
        let key = DebugKey::of(world.control.secrets().cluster_token());
        let sandbox = "sandbox".parse().unwrap();
        let now = world.control.now();
        let claims = key.read(&sandbox, token.token.as_bytes(), now).unwrap();
        assert_eq!(claims.organization, world.acme.organization().unwrap());
        assert_eq!((claims.id, claims.route), (token.id, Some(own.id)));
        assert_eq!(key.read(&sandbox, token.token.as_bytes(), now.after(Duration::from_secs(31))), None);
        let filter = crate::audit::Filter { action: Some("create_debug_token".to_owned()), limit: 10, ..Default::default() };
        let noted = world.control.list_audit(&world.acme, &filter).await.unwrap().data;
        assert_eq!((noted.len(), noted[0].resource.clone()), (1, token.id.to_string()));
        assert!(!serde_json::to_string(&noted).unwrap().contains(&token.token));

        let refused = |spec: serde_json::Value| {
            let (control, caller) = (world.control.clone(), world.globex.clone());
            async move { refusal(control.create_debug_token(&caller, &from(spec)).await).1 }
        };
        // Another tenant's route is not there.
        assert_eq!(refused(json!({ "route_id": own.id })).await, ["/route_id"]);
        assert_eq!(refused(json!({ "environment": "nowhere" })).await, ["/environment"]);
        assert_eq!(refused(json!({ "lifetime_seconds": 9 })).await, ["/lifetime_seconds"]);
        assert_eq!(refused(json!({ "lifetime_seconds": 3601 })).await, ["/lifetime_seconds"]);
    }
}
