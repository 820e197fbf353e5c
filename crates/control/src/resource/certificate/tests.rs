use domain::certificate::{Certificate, CertificateState};
use domain::id::VersionId;
use domain::snapshot::Snapshot;
use domain::traffic::Route;
use pki::SealKey;
use pki::testing::{Authority, Pair};
use serde_json::{Value, json};
use store::{certificate, on_both};

use super::Material;
use crate::fixture::{World, detail, from, refusal};
use crate::{Caller, Error};

fn spec(hosts: impl Into<Value>, pem: impl Into<Value>) -> Value {
    let (hosts, pem): (Value, Value) = (hosts.into(), pem.into());
    json!({ "name": "shop", "environment": "sandbox", "hosts": hosts, "pem": pem })
}

/// A certificate that is ordered from a server that is not there.
fn order(hosts: impl Into<Value>) -> Value {
    let hosts: Value = hosts.into();
    let acme = json!({ "directory_url": "https://acme.invalid/directory", "terms_agreed": true });
    json!({ "name": "ordered", "environment": "sandbox", "hosts": hosts, "acme": acme })
}

/// A route that answers itself.
fn route(version: VersionId, host: Option<&str>) -> Value {
    json!({ "version_id": version, "environment": "sandbox", "host": host, "base_path": "/", "answer": { "status": 200 } })
}

async fn version(world: &World, caller: &Caller) -> VersionId {
    let api = world.api(caller, "own").await;
    world.version(caller, &api).await.id
}

async fn make(world: &World, spec: Value) -> Result<Certificate, Error> {
    let workspace = world.workspace(&world.acme).await;
    world.make::<Certificate>(&world.acme, &workspace, spec).await
}

on_both! {
    async fn a_certificate_is_checked_kept_apart_and_delivered_sealed(url: String) {
        let world = World::new(&url).await;
        let one = Pair::lasting(&["api.example.com", "*.example.com"], 2020..2030);
        let pem = json!({ "chain": one.chain, "private_key": one.key });
        let made = make(&world, spec(json!(["API.example.com", "*.example.com"]), pem)).await.unwrap();
        assert_eq!(made.spec.hosts, ["api.example.com", "*.example.com"]);
        assert_eq!(made.state(world.control.now()), CertificateState::Valid);
        let read = world.control.read::<Certificate>(&world.acme, made.id).await.unwrap();
        assert_eq!(read.spec.pem.as_ref().unwrap().private_key, None);
        let secret = one.key.lines().nth(1).unwrap();
        let mut tx = world.control.store().begin_read().await.unwrap();
        for table in ["certificates", "audit"] {
            let rows = tx.fetch_all(&format!("SELECT body FROM {table}"), &[]).await.unwrap();
            assert!(!rows.is_empty(), "{table}");
            assert!(rows.iter().all(|row| !row.json("body").unwrap().to_string().contains(secret)));
        }
        let sealed = certificate::key(&mut tx, made.id).await.unwrap().unwrap();
        let material = Material::open(world.control.secrets(), made.id, &sealed).unwrap();
        assert_eq!((material.chain, material.key), (one.chain.clone(), one.key.clone()));
        drop(tx);

        let snapshot = world.control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        let [entry] = snapshot.certificates.as_slice() else { panic!("one certificate") };
        assert_eq!((entry.id, &entry.chain, entry.revision), (made.id, &one.chain, 1));
        assert!(!serde_json::to_string(&snapshot).unwrap().contains(secret));
        let token = world.control.secrets().cluster_token();
        let opened = SealKey::of(token).open(&made.id.to_string(), &entry.sealed_key).unwrap();
        assert_eq!(opened, one.key);
        let elsewhere = world.control.build_snapshot(&from(json!("production"))).await.unwrap();
        assert!(elsewhere.certificates.is_empty());
    }

    async fn the_key_stays_until_there_is_another_one(url: String) {
        let world = World::new(&url).await;
        let (one, other) = (Pair::lasting(&["a.example"], 2020..2030), Pair::lasting(&["a.example"], 2021..2031));
        let pem = json!({ "chain": one.chain, "private_key": one.key });
        let made = make(&world, spec(json!(["a.example"]), pem)).await.unwrap();
        let update = async |patch: Value| {
            world.control.update::<Certificate>(&world.acme, made.id, &patch, None).await
        };
        let renamed = update(json!({ "name": "other" })).await.unwrap();
        assert_eq!(renamed.facts, made.facts);
        let refused = update(json!({ "pem": { "chain": other.chain } })).await;
        assert_eq!(refusal(refused), ("certificate_invalid", vec!["/pem/private_key".to_owned()]));
        let renewed = update(json!({ "pem": { "chain": other.chain, "private_key": other.key } })).await.unwrap();
        assert_ne!(renewed.facts, made.facts);
        let snapshot = world.control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        assert_eq!((&snapshot.certificates[0].chain, snapshot.certificates[0].revision), (&other.chain, 3));
        world.control.delete::<Certificate>(&world.acme, made.id, None).await.unwrap();
        let snapshot = world.control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        assert!(snapshot.certificates.is_empty());
        assert_eq!(certificate::key(&mut world.control.store(), made.id).await.unwrap(), None);
    }

    async fn what_cannot_be_shown_is_refused_with_its_place(url: String) {
        let world = World::new(&url).await;
        let (one, other) = (Pair::lasting(&["a.example"], 2020..2030), Pair::lasting(&["a.example"], 2020..2030));
        let (past, future) = (Pair::lasting(&["a.example"], 2020..2021), Pair::lasting(&["a.example"], 2029..2030));
        let good = json!({ "chain": one.chain, "private_key": one.key });
        let whole = |pair: &Pair| json!({ "chain": pair.chain, "private_key": pair.key });
        let client = json!({ "authorities": "none" });
        let cases = [
            (spec(json!([]), good.clone()), "/hosts"),
            (spec(json!(["b.example"]), good.clone()), "/hosts/0"),
            (spec(json!(["a.example", "A.example"]), good.clone()), "/hosts/1"),
            (spec(json!(["a..example"]), good.clone()), "/hosts/0"),
            (spec(json!(["*.example"]), good.clone()), "/hosts/0"),
            (spec(json!(["a.example"]), Value::Null), "/pem"),
            (spec(json!(["a.example"]), json!({ "chain": "x" })), "/pem/chain"),
            (spec(json!(["a.example"]), json!({ "chain": one.chain })), "/pem/private_key"),
            (
                spec(json!(["a.example"]), json!({ "chain": one.chain, "private_key": other.key })),
                "/pem/private_key",
            ),
            (spec(json!(["a.example"]), whole(&past)), "/pem/chain"),
            (spec(json!(["a.example"]), whole(&future)), "/pem/chain"),
            (
                json!({ "name": "x", "environment": "nowhere", "hosts": ["a.example"], "pem": good }),
                "/environment",
            ),
            (
                json!({
                    "name": "x", "environment": "sandbox", "hosts": ["a.example"], "pem": good, "client_auth": client
                }),
                "/client_auth/authorities",
            ),
        ];
        for (spec, place) in cases {
            let (code, places) = refusal(make(&world, spec.clone()).await);
            assert_eq!(code, "certificate_invalid", "{spec}");
            assert!(places.iter().any(|found| found == place), "{places:?} for {spec}");
        }
    }

    async fn what_no_server_would_sign_is_refused(url: String) {
        let world = World::new(&url).await;
        let order = |hosts: Value, change: Value| {
            let mut acme = json!({ "directory_url": "https://acme.example/dir", "terms_agreed": true });
            acme.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            json!({ "name": "shop", "environment": "sandbox", "hosts": hosts, "acme": acme })
        };
        for (spec, place) in [
            (order(json!(["*.a.example"]), json!({})), "/hosts/0"),
            (order(json!(["a.example"]), json!({ "terms_agreed": false })), "/acme/terms_agreed"),
            (order(json!(["a.example"]), json!({ "directory_url": "http://a.example" })), "/acme/directory_url"),
            (order(json!(["a.example"]), json!({ "contacts": ["mailto:a@b.example"] })), "/acme/contacts/0"),
            (order(json!(["a.example"]), json!({ "authorities": "x" })), "/acme/authorities"),
        ] {
            let (code, places) = refusal(make(&world, spec.clone()).await);
            assert_eq!((code, places), ("certificate_invalid", vec![place.to_owned()]), "{spec}");
        }
        let made = make(&world, order(json!(["a.example"]), json!({}))).await.unwrap();
        assert_eq!(made.state(world.control.now()), CertificateState::Pending);
        let due = certificate::due(&mut world.control.store(), world.control.now()).await.unwrap();
        assert_eq!(due, [made.id]);
        let snapshot = world.control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        assert!(snapshot.certificates.is_empty(), "nothing to show yet");
    }

    async fn a_host_has_one_certificate_whoever_it_belongs_to(url: String) {
        let world = World::new(&url).await;
        let one = Pair::lasting(&["a.example"], 2020..2030);
        let pem = json!({ "chain": one.chain, "private_key": one.key });
        make(&world, spec(json!(["a.example"]), pem.clone())).await.unwrap();
        let mut again = spec(json!(["a.example"]), pem.clone());
        again["name"] = json!("again");
        assert_eq!(
            detail(make(&world, again.clone()).await),
            "host_taken: The certificate `shop` is shown for `a.example` in `sandbox` already."
        );
        let workspace = world.workspace(&world.globex).await;
        assert_eq!(
            detail(world.make::<Certificate>(&world.globex, &workspace, again).await),
            "host_taken: A certificate of another organization is shown for `a.example` in `sandbox` already."
        );
    }

    async fn a_host_is_not_taken_over_by_a_certificate_of_another_organization(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let (own, theirs) = (world.shop().await.version, version(&world, globex).await);
        let workspace = world.workspace(globex).await;
        for (host, routed, is_taken) in [
            ("api.a.test", Some("api.a.test"), true),
            ("*.a.test", Some("api.a.test"), true),
            ("api.a.test", Some("*.a.test"), true),
            ("*.a.test", Some("*.a.test"), true),
            ("*.a.test", Some("*.test"), true),
            ("*.a.test", Some("x.api.a.test"), false),
            ("api.a.test", Some("other.a.test"), false),
            ("api.a.test", None, false),
        ] {
            let pair = Pair::lasting(&[host], 2020..2030);
            let certificate = spec(json!([host]), json!({ "chain": pair.chain, "private_key": pair.key }));

            let there = world.make::<Route>(acme, &(), route(own, routed)).await.unwrap();
            let made = world.make::<Certificate>(globex, &workspace, certificate.clone()).await;
            assert_eq!(made.is_err(), is_taken, "{host} where {routed:?} is");
            match made {
                Ok(made) => world.control.delete::<Certificate>(globex, made.id, None).await.unwrap(),
                refused => assert_eq!(refusal(refused), ("host_taken", vec!["/hosts/0".to_owned()])),
            }
            let shown = make(&world, certificate).await.unwrap();
            world.control.delete::<Route>(acme, there.id, None).await.unwrap();

            let made = world.make::<Route>(globex, &(), route(theirs, routed)).await;
            assert_eq!(made.is_err(), is_taken, "{routed:?} where {host} is");
            match made {
                Ok(made) => world.control.delete::<Route>(globex, made.id, None).await.unwrap(),
                refused => assert_eq!(refusal(refused), ("host_taken", vec!["/host".to_owned()])),
            }
            let there = world.make::<Route>(acme, &(), route(own, routed)).await.unwrap();
            world.control.delete::<Route>(acme, there.id, None).await.unwrap();
            world.control.delete::<Certificate>(acme, shown.id, None).await.unwrap();
        }
    }

    async fn a_wildcard_of_others_leaves_hosts_with_an_own_route_alone(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let (own, theirs) = (world.shop().await.version, version(&world, globex).await);
        let workspace = world.workspace(globex).await;
        world.make::<Route>(acme, &(), route(own, Some("*.test"))).await.unwrap();
        let taken = world.make::<Certificate>(globex, &workspace, order(json!(["api.a.test"]))).await;
        assert_eq!(refusal(taken), ("host_taken", vec!["/hosts/0".to_owned()]));
        world.make::<Route>(globex, &(), route(theirs, Some("api.a.test"))).await.unwrap();
        world.make::<Certificate>(globex, &workspace, order(json!(["api.a.test"]))).await.unwrap();
        let mut wild = order(json!(["b.test"]));
        wild["name"] = json!("other");
        let taken = world.make::<Certificate>(globex, &workspace, wild).await;
        assert_eq!(refusal(taken), ("host_taken", vec!["/hosts/0".to_owned()]));
    }

    async fn a_host_of_others_is_neither_ordered_nor_shown_from_a_wildcard(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let version = world.shop().await.version;
        let workspace = world.workspace(globex).await;
        world.make::<Route>(acme, &(), route(version, Some("api.a.test"))).await.unwrap();
        let taken = world.make::<Certificate>(globex, &workspace, order(json!(["b.test", "API.a.test"]))).await;
        assert_eq!(
            detail(taken),
            "host_taken: /hosts/1: In `sandbox`, a route of another organization takes calls for `api.a.test`."
        );
        let mut elsewhere = order(json!(["api.a.test"]));
        elsewhere["environment"] = json!("production");
        world.make::<Certificate>(globex, &workspace, elsewhere).await.unwrap();

        let pair = Pair::lasting(&["*.w.test"], 2020..2030);
        let wild = spec(json!(["*.w.test"]), json!({ "chain": pair.chain, "private_key": pair.key }));
        let shown = make(&world, wild.clone()).await.unwrap();
        let mut one = order(json!(["api.w.test"]));
        one["name"] = json!("one");
        let taken = world.make::<Certificate>(globex, &workspace, one.clone()).await;
        assert_eq!(
            detail(taken),
            "host_taken: /hosts/0: In `sandbox`, a certificate of another organization is shown for `api.w.test`."
        );
        world.control.delete::<Certificate>(acme, shown.id, None).await.unwrap();
        world.make::<Certificate>(globex, &workspace, one).await.unwrap();
        assert_eq!(refusal(make(&world, wild).await), ("host_taken", vec!["/hosts/0".to_owned()]));
    }

    async fn what_others_have_at_a_host_already_holds_no_other_change_up(url: String) {
        let world = World::new(&url).await;
        let (acme, globex) = (&world.acme, &world.globex);
        let version = world.shop().await.version;
        let workspace = world.workspace(globex).await;
        let there = world.make::<Route>(acme, &(), route(version, Some("old.test"))).await.unwrap();
        let shown = world.make::<Certificate>(globex, &workspace, order(json!(["api.a.test"]))).await.unwrap();
        // As two that were saved before anybody looked.
        let mut moved = there.clone();
        moved.spec.host = Some("api.a.test".to_owned());
        moved.revision += 1;
        let mut tx = world.control.store().begin().await.unwrap();
        tx.update(&moved, there.revision, &[]).await.unwrap();
        tx.commit().await.unwrap();

        let update = async |patch: Value| world.control.update::<Certificate>(globex, shown.id, &patch, None).await;
        update(json!({ "name": "renamed" })).await.unwrap();
        update(json!({ "hosts": ["api.a.test", "b.test"] })).await.unwrap();
        let update_route = async |patch: Value| world.control.update::<Route>(acme, there.id, &patch, None).await;
        update_route(json!({ "priority": 5 })).await.unwrap();
        update(json!({ "hosts": ["b.test"] })).await.unwrap();
        let again = update(json!({ "hosts": ["b.test", "api.a.test"] })).await;
        assert_eq!(refusal(again), ("host_taken", vec!["/hosts/1".to_owned()]));
        let again = update_route(json!({ "host": "b.test" })).await;
        assert_eq!(refusal(again), ("host_taken", vec!["/host".to_owned()]));
        update_route(json!({ "host": null })).await.unwrap();
        update(json!({ "hosts": ["api.a.test"] })).await.unwrap();
    }

    async fn what_is_asked_of_clients_is_delivered_without_a_certificate_as_well(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let snapshot = async || control.build_snapshot(&from(json!("sandbox"))).await.unwrap();
        let unshown = |snapshot: &Snapshot| -> Vec<String> {
            snapshot.unshown.iter().flat_map(|it| it.hosts.clone()).collect()
        };
        let open = make(&world, order(json!(["open.test"]))).await.unwrap();
        let text = serde_json::to_string(&snapshot().await).unwrap();
        assert!(!text.contains("unshown"), "nodes of older versions do not know it: {text}");
        control.delete::<Certificate>(acme, open.id, None).await.unwrap();

        let mut wanted = order(json!(["a.test"]));
        wanted["client_auth"] = json!({ "authorities": Authority::new("clients").root, "forward": true });
        let made = make(&world, wanted).await.unwrap();
        let pending = snapshot().await;
        assert!(pending.certificates.is_empty());
        assert_eq!(unshown(&pending), ["a.test"]);
        assert_eq!((pending.unshown[0].id, Some(&pending.unshown[0].client_auth)), (made.id, made.spec.client_auth.as_ref()));
        assert!(control.build_snapshot(&from(json!("production"))).await.unwrap().unshown.is_empty());

        let pair = Pair::lasting(&["a.test"], 2020..2030);
        let mut issued = made.clone();
        issued.facts = pki::facts(&pair.der());
        issued.revision += 1;
        let material = Material { chain: pair.chain.clone(), key: pair.key.clone() };
        let sealed = material.seal(control.secrets(), made.id).unwrap();
        let mut tx = control.store().begin().await.unwrap();
        tx.update(&issued, made.revision, &[]).await.unwrap();
        certificate::write_key(&mut tx, made.id, sealed).await.unwrap();
        tx.commit().await.unwrap();
        let shown = snapshot().await;
        assert_eq!((&shown.certificates[0].hosts[..], unshown(&shown)), (&["a.test".to_owned()][..], Vec::new()));

        // What has come is not for a host that is added.
        let hosts = json!({ "hosts": ["a.test", "b.test"] });
        control.update::<Certificate>(acme, made.id, &hosts, None).await.unwrap();
        let half = snapshot().await;
        assert_eq!(half.certificates[0].hosts, ["a.test"]);
        assert_eq!(unshown(&half), ["b.test"]);

        let mut tx = control.store().begin().await.unwrap();
        certificate::write_key(&mut tx, made.id, b"sealed with other secrets".to_vec()).await.unwrap();
        tx.commit().await.unwrap();
        let locked = snapshot().await;
        assert!(locked.certificates.is_empty());
        assert_eq!(unshown(&locked), ["a.test", "b.test"]);
    }
}
