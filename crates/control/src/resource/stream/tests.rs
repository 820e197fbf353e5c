use domain::stream::StreamRoute;
use domain::traffic::{Route, Upstream};
use serde_json::{Value, json};
use store::on_both;

use crate::fixture::{World, detail, from, refusal};
use crate::{Caller, Error};

async fn upstream(world: &World, caller: &Caller, name: &str, url: &str) -> Upstream {
    let workspace = world.workspace(caller).await;
    let spec = json!({ "name": name, "targets": [{ "url": url }] });
    world.make::<Upstream>(caller, &workspace, spec).await.unwrap()
}

async fn make(world: &World, caller: &Caller, spec: Value) -> Result<StreamRoute, Error> {
    let workspace = world.workspace(caller).await;
    world.make::<StreamRoute>(caller, &workspace, spec).await
}

/// A stream route with further fields.
fn spec(name: &str, upstream: &Upstream, fields: Value) -> Value {
    let mut spec = json!({ "name": name, "environment": "sandbox", "upstream_id": upstream.id });
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    spec.as_object_mut().unwrap().extend(fields);
    spec
}

on_both! {
    async fn stream_routes_are_checked_and_delivered(url: String) {
        let world = World::new(&url).await;
        let database = upstream(&world, &world.acme, "db", "tcp://db.internal:5432").await;
        let web = upstream(&world, &world.acme, "web", "http://127.0.0.1:9").await;
        assert_eq!(database.spec.targets[0].url, "tcp://db.internal:5432");
        let wrong = json!({ "hosts": ["a_b", "a.example", "A.example"], "port": 0, "idle_ms": 1, "connections_max": 9_999_999 });
        let refused = refusal(make(&world, &world.acme, spec("s", &web, wrong)).await);
        let pointers = ["/upstream_id", "/hosts/0", "/hosts/2", "/port", "/idle_ms", "/connections_max"];
        assert_eq!(refused, ("request_invalid", pointers.map(str::to_owned).to_vec()));
        let refused = refusal(make(&world, &world.acme, spec("s", &database, json!({}))).await);
        assert_eq!(refused, ("request_invalid", vec!["/port".to_owned()]));
        let elsewhere = upstream(&world, &world.globex, "db", "tcp://db.internal:5432").await;
        let refused = refusal(make(&world, &world.acme, spec("s", &elsewhere, json!({ "port": 1 }))).await);
        assert_eq!(refused, ("request_invalid", vec!["/upstream_id".to_owned()]));

        let fields = json!({ "hosts": ["DB.example.com", "*.db.example.com"], "connections_max": 5,
            "port": 8443, "idle_ms": 7000 });
        let made = make(&world, &world.acme, spec("s", &database, fields)).await.unwrap();
        assert_eq!(made.spec.hosts, ["db.example.com", "*.db.example.com"]);
        let off = json!({ "port": 5432, "enabled": false });
        make(&world, &world.acme, spec("off", &database, off)).await.unwrap();
        let snapshot = world.control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        let [entry] = snapshot.streams.as_slice() else { panic!("one: {:?}", snapshot.streams) };
        assert_eq!((entry.id, &entry.hosts, entry.connections_max), (made.id, &made.spec.hosts, 5));
        assert_eq!((entry.port, entry.idle_ms, entry.upstream), (Some(8443), 7000, database.id));
        assert_eq!(snapshot.upstreams.iter().map(|it| it.id).collect::<Vec<_>>(), [database.id]);
        let other = world.control.build_snapshot(&from(json!("production"))).await.unwrap();
        assert!(other.streams.is_empty() && other.upstreams.is_empty());
    }

    async fn what_one_takes_nobody_else_does(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let own = upstream(&world, acme, "db", "tcp://db.internal:5432").await;
        let theirs = upstream(&world, globex, "db", "tcp://db.internal:5432").await;
        let hosts = |port: Option<u16>| json!({ "hosts": ["db.example.com"], "port": port });
        make(&world, acme, spec("any", &own, hosts(None))).await.unwrap();
        make(&world, acme, spec("port", &own, hosts(Some(8443)))).await.unwrap();
        make(&world, acme, spec("rest", &own, json!({ "port": 5432 }))).await.unwrap();
        let twice = detail(make(&world, acme, spec("other", &own, hosts(None))).await);
        assert_eq!(twice, "host_taken: In `sandbox`, the stream route `any` has `db.example.com` already.");
        let twice = detail(make(&world, acme, spec("other", &own, json!({ "port": 5432 }))).await);
        assert_eq!(twice, "host_taken: In `sandbox`, the stream route `rest` has what comes to `:5432` already.");
        // A host is one organization's, whatever the port.
        for fields in [hosts(None), hosts(Some(9443)), json!({ "port": 5432 })] {
            let taken = detail(make(&world, globex, spec("db", &theirs, fields)).await);
            assert!(taken.starts_with("host_taken: In `sandbox`, a stream route of another organization has"), "{taken}");
        }
        make(&world, globex, spec("db", &theirs, json!({ "port": 5433 }))).await.unwrap();
        let production = json!({ "hosts": ["db.example.com"], "environment": "production" });
        make(&world, globex, spec("elsewhere", &theirs, production)).await.unwrap();
    }

    async fn routes_and_certificates_of_others_are_safe(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let shop = world.shop().await;
        let served = json!({ "version_id": shop.version, "environment": "sandbox", "host": "shop.example.com",
            "base_path": "/", "answer": { "status": 200 } });
        world.make::<Route>(acme, &(), served.clone()).await.unwrap();
        let (own, theirs) = (
            upstream(&world, acme, "db", "tcp://db.internal:5432").await,
            upstream(&world, globex, "db", "tcp://db.internal:5432").await,
        );
        let hosts = json!({ "hosts": ["shop.example.com"] });
        let taken = detail(make(&world, globex, spec("db", &theirs, hosts.clone())).await);
        assert_eq!(taken, "host_taken: In `sandbox`, a route of another organization has `shop.example.com` already.");
        // One's own may be passed on where TLS comes and be read elsewhere.
        make(&world, acme, spec("own", &own, hosts)).await.unwrap();
        let hosts = json!({ "hosts": ["*.globex.example"] });
        make(&world, globex, spec("wild", &theirs, hosts)).await.unwrap();
        let mut route = served;
        route["host"] = json!("*.globex.example");
        let taken = detail(world.make::<Route>(acme, &(), route).await);
        assert_eq!(taken, "host_taken: In `sandbox`, a stream route of another organization takes `*.globex.example`.");
        // A certificate for what is never ended here would never be shown.
        let workspace = world.workspace(acme).await;
        let certificate = |host: &str| json!({ "name": "c", "environment": "sandbox", "hosts": [host],
            "acme": { "directory_url": "https://acme.invalid/", "terms_agreed": true } });
        type Certificate = domain::certificate::Certificate;
        for host in ["shop.example.com", "x.globex.example"] {
            let made = world.make::<Certificate>(acme, &workspace, certificate(host)).await;
            assert_eq!(made.is_ok(), host.starts_with("x."), "{host}");
        }
        let hosts = json!({ "hosts": ["x.globex.example"] });
        let taken = detail(make(&world, globex, spec("x", &theirs, hosts.clone())).await);
        assert!(taken.contains("a certificate of another organization"), "{taken}");
        let taken = detail(make(&world, acme, spec("x", &own, hosts)).await);
        assert!(taken.contains("the certificate `c`, which would never be shown,"), "{taken}");
        let at_port = json!({ "hosts": ["x.globex.example"], "port": 8443 });
        make(&world, acme, spec("x", &own, at_port)).await.unwrap();
    }

    async fn upstreams_are_for_streams_or_for_calls(url: String) {
        let world = World::new(&url).await;
        let acme = &world.acme;
        let workspace = world.workspace(acme).await;
        let targets = |urls: &[&str]| urls.iter().map(|url| json!({ "url": url })).collect::<Vec<_>>();
        for (urls, pointer) in [
            (&["tcp://a"][..], "/targets/0/url"),
            (&["tcp://a:1/x"], "/targets/0/url"),
            (&["tcp://u:p@a:1"], "/targets/0/url"),
            (&["tcp://a:0"], "/targets/0/url"),
            (&["tcp://a:1", "http://a:1"], "/targets"),
        ] {
            let made = world.make::<Upstream>(acme, &workspace, json!({ "name": "u", "targets": targets(urls) })).await;
            assert_eq!(refusal(made), ("request_invalid", vec![pointer.to_owned()]), "{urls:?}");
        }
        let unfit = json!({ "name": "u", "targets": targets(&["tcp://a:1"]), "protocol": "http2", "preserve_host": true,
            "health_check": {}, "timeouts": { "answer_ms": 1 }, "retries": { "on": ["reset"] }, "hedging": { "after_ms": 1 } });
        let (code, pointers) = refusal(world.make::<Upstream>(acme, &workspace, unfit).await);
        let wanted = ["/protocol", "/preserve_host", "/timeouts", "/health_check/kind", "/retries/on", "/hedging"];
        assert_eq!((code, pointers), ("request_invalid", wanted.map(str::to_owned).to_vec()));
        let fit = json!({ "name": "u", "targets": targets(&["tcp://[::1]:1", "tcp://10.0.0.1:2"]), "proxy_protocol": "v2",
            "health_check": { "kind": "tcp" }, "outlier_detection": {}, "circuit_breaker": {},
            "timeouts": { "connect_ms": 5 }, "retries": { "attempts_max": 2 }, "connections": { "max": 9 },
            "concurrency": { "calls_max": 7 },
            "balancing": { "algorithm": "consistent_hash", "hash_on": "client_address" } });
        let made = world.make::<Upstream>(acme, &workspace, fit).await.unwrap();
        let address = json!({ "targets": [{ "url": "tcp://10.0.0.1:1", "resolve": "dns" }] });
        let refused = refusal(world.control.update::<Upstream>(acme, made.id, &address, None).await);
        assert_eq!(refused, ("request_invalid", vec!["/targets/0/resolve".to_owned()]));
        // Who uses it decides what it stays.
        make(&world, acme, spec("s", &made, json!({ "port": 1 }))).await.unwrap();
        let turned = json!({ "targets": targets(&["http://a:1"]), "health_check": null, "outlier_detection": null });
        let refused = detail(world.control.update::<Upstream>(acme, made.id, &turned, None).await);
        assert_eq!(refused, "in_use: It is used by stream route `s`.");
        let shop = world.shop().await;
        let route = json!({ "version_id": shop.version, "environment": "sandbox", "base_path": "/x", "upstream_id": made.id });
        let refused = refusal(world.make::<Route>(acme, &(), route).await);
        assert_eq!(refused, ("request_invalid", vec!["/upstream_id".to_owned()]));
        let removed = detail(world.control.delete::<Upstream>(acme, made.id, None).await);
        assert_eq!(removed, "in_use: It is used by stream route `s`.");
    }
}
