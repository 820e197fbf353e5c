use std::sync::Arc;

use domain::catalog::{Api, Operation, Stage, Version};
use domain::consumer::Subscription;
use domain::id::OrganizationId;
use domain::identity::Role;
use domain::import::Imported;
use domain::offer::{Plan, Product, Visibility};
use domain::traffic::{Route, Upstream};
use serde_json::{Value, json};
use store::on_both;

use super::{cut, segment};
use crate::access::Roles;
use crate::fixture::{PETS, World, detail, from, import_spec, member, refusal};
use crate::resource::ListQuery;
use crate::{Caller, Error};

#[test]
fn version_names_become_segments() {
    for (name, expected) in [
        ("1.0", "1.0"),
        ("2024/01 beta", "2024-01-beta"),
        ("..", "1"),
        ("", "1"),
        ("é", "-"),
    ] {
        assert_eq!(segment(name), expected);
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert_eq!(cut("äöü", 3, true), "äöü");
    assert_eq!(cut("äöüß", 3, true), "äö…");
    assert_eq!(cut("a\nb\0c", 9, true), "a b c");
    assert_eq!(cut("a\nb\0c", 9, false), "a\nb c");
}

/// How many rows of everything that an import writes there are.
async fn census(world: &World) -> Vec<i64> {
    let tables = [
        "apis",
        "versions",
        "contracts",
        "operations",
        "upstreams",
        "routes",
        "products",
        "product_versions",
        "plans",
        "audit",
    ];
    let mut counts = Vec::new();
    for table in tables {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = world
            .control
            .store()
            .fetch_optional(&sql, &[])
            .await
            .unwrap()
            .unwrap();
        counts.push(row.int("n").unwrap());
    }
    let revision = store::snapshot::revision(&mut world.control.store())
        .await
        .unwrap();
    counts.push(i64::try_from(revision).unwrap());
    counts
}

async fn operations(world: &World, imported: &Imported) -> Vec<Operation> {
    world
        .control
        .operations(&world.acme, imported.version)
        .await
        .unwrap()
}

fn with_version(version: &str) -> String {
    PETS.replace("\"1.0\"", &format!("\"{version}\""))
}

on_both! {
    async fn a_contract_becomes_a_product(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.import(acme, json!({ "publish": true })).await.unwrap();
        assert_eq!((shop.api_name.as_str(), shop.version_name.as_str()), ("pet-shop", "1.0"));
        assert_eq!((shop.stage, shop.operations, shop.dry_run), (Stage::Stable, 2, false));
        assert_eq!(shop.base_url.as_deref(), Some("http://127.0.0.1:8080/pet-shop"));
        let api = control.read::<Api>(acme, shop.api).await.unwrap();
        assert_eq!((api.spec.title.as_str(), api.spec.description.as_str()), ("Pet shop", "Sells pets."));
        let version = control.read::<Version>(acme, shop.version).await.unwrap();
        assert_eq!((version.operations, version.spec.stage), (2, Stage::Stable));
        let (contract, document) = control.contract_document(acme, shop.version).await.unwrap();
        assert_eq!(document, PETS.as_bytes());
        assert_eq!((Some(contract.id), contract.bytes), (version.contract_id, PETS.len() as i64));
        let upstream = control.list::<Upstream>(acme, &ListQuery::default()).await.unwrap().data.remove(0);
        assert_eq!(upstream.spec.targets[0].url, "http://127.0.0.1:9/base");
        let product = world.product(&shop).await;
        assert_eq!(product.spec.version_ids, [shop.version]);
        assert_eq!(product.spec.visibility, Visibility::Public);
        let plan = control.read::<Plan>(acme, product.spec.plan_ids[0]).await.unwrap();
        assert_eq!(plan.spec.name.as_str(), "free");
        let names: Vec<_> = operations(&world, &shop).await.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["list_pets", "read_pet"]);
        assert_eq!(control.contract_json(acme, shop.version).await.unwrap()["info"]["title"], "Pet shop");
    }

    async fn the_same_version_again_keeps_what_it_can(url: String) {
        let world = World::new(&url).await;
        let acme = &world.acme;
        let first = world.shop().await;
        let before = operations(&world, &first).await;
        let counted = census(&world).await;
        // Word for word the same: a new revision of the version, nothing else.
        let again = world.shop().await;
        assert_eq!((again.api, again.version, again.product), (first.api, first.version, first.product));
        let now = census(&world).await;
        assert_eq!(now[..9], counted[..9]);

        let other = PETS
            .replace("list_pets", "all_pets")
            .replace("/pets/{pet_id}", "/animals/{pet_id}");
        let fields = json!({ "name": "shop", "document": other, "upstream_url": "http://127.0.0.1:8/" });
        let third = world.import(acme, fields).await.unwrap();
        assert_eq!((third.version, third.stage), (first.version, Stage::Stable));
        let after = operations(&world, &third).await;
        let find = |all: &[Operation], path: &str| all.iter().find(|it| it.path == path).map(|it| it.id);
        assert_eq!(find(&after, "/pets"), find(&before, "/pets"));
        assert_eq!(find(&after, "/pets/{pet_id}"), None);
        assert!(find(&after, "/animals/{pet_id}").is_some());
        assert_eq!(after.len(), 2);
        let upstreams = world.control.list::<Upstream>(acme, &ListQuery::default()).await.unwrap().data;
        assert_eq!(upstreams.len(), 1);
        assert_eq!(upstreams[0].spec.targets[0].url, "http://127.0.0.1:8");
        assert_eq!(world.control.contracts(acme, first.version).await.unwrap().len(), 2);

        // What comes back has the id that it had.
        world.shop().await;
        assert_eq!(operations(&world, &first).await.len(), 2);
        assert_eq!(find(&operations(&world, &first).await, "/pets/{pet_id}"), find(&before, "/pets/{pet_id}"));
    }

    async fn versions_stand_beside_each_other(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let first = world.shop().await;
        let fields = json!({
            "name": "shop", "publish": true, "document": with_version("2.0 beta"), "upstream_url": "http://127.0.0.1:8",
        });
        let second = world.import(acme, fields).await.unwrap();
        assert_eq!(second.api, first.api);
        assert_ne!(second.version, first.version);
        assert_eq!(second.base_url.as_deref(), Some("http://127.0.0.1:8080/shop/2.0-beta"));
        let product = world.product(&first).await;
        assert_eq!(product.spec.version_ids, [first.version, second.version]);
        let upstreams = control.list::<Upstream>(acme, &ListQuery::default()).await.unwrap().data;
        let targets: Vec<_> = upstreams
            .iter()
            .map(|it| (it.spec.name.as_str(), it.spec.targets[0].url.as_str()))
            .collect();
        assert_eq!(targets, [("shop-2-0-beta", "http://127.0.0.1:8"), ("shop", "http://127.0.0.1:9/base")]);

        // Every product that holds another version of the API gets the new one.
        let workspace = world.workspace(acme).await;
        let bundle = json!({ "name": "bundle", "title": "Bundle", "version_ids": [first.version], "plan_ids": [] });
        let bundle = world.make::<Product>(acme, &workspace, bundle).await.unwrap();
        let fields = json!({ "name": "shop", "publish": true, "document": with_version("3") });
        let third = world.import(acme, fields).await.unwrap();
        let bundle = control.read::<Product>(acme, bundle.id).await.unwrap();
        assert_eq!(bundle.spec.version_ids, [first.version, third.version]);
        assert_eq!(bundle.spec.plan_ids, product.spec.plan_ids);
    }

    async fn drafts_are_offered_to_nobody(url: String) {
        let world = World::new(&url).await;
        let acme = &world.acme;
        let document = PETS.replace("http://127.0.0.1:9/base/", "/relative");
        let draft = world.import(acme, json!({ "name": "shop", "document": document })).await.unwrap();
        assert_eq!((draft.stage, draft.product, draft.base_url), (Stage::Draft, None, None));
        let publish = json!({ "name": "shop", "document": document, "publish": true });
        let (code, pointers) = refusal(world.import(acme, publish).await);
        assert_eq!((code, pointers), ("request_invalid", vec!["/upstream_url".to_owned()]));
        let publish = json!({
            "name": "shop", "document": document, "publish": true, "upstream_url": "http://127.0.0.1:7",
            "base_path": "/pets-for-you/", "environment": "production",
        });
        let published = world.import(acme, publish).await.unwrap();
        assert_eq!((published.version, published.stage), (draft.version, Stage::Stable));
        assert_eq!(published.base_url.as_deref(), Some("http://127.0.0.1:8080/pets-for-you"));
    }

    async fn refused_imports_leave_nothing(url: String) {
        let world = World::new(&url).await;
        let acme = &world.acme;
        world.import(&world.globex, json!({ "name": "taken", "base_path": "/taken", "publish": true })).await.unwrap();
        let before = census(&world).await;
        let lost = PETS.replace("description: ok", "$ref: '#/components/responses/lost'");
        let twice = PETS.replace("read_pet", "list_pets").replace("/pets/{pet_id}", "/pets/");
        let deep = format!("{{\"openapi\": \"3.0.3\", \"a\": {}{}}}", "[".repeat(200), "]".repeat(200));
        let large = format!("{PETS}\n# {}", "x".repeat(10_000_000));
        let table = [
            (json!({ "document": "" }), "contract_invalid"),
            (json!({ "document": "{" }), "contract_invalid"),
            (json!({ "document": "a: [" }), "contract_invalid"),
            (json!({ "document": "swagger: '2.0'" }), "contract_invalid"),
            (json!({ "document": lost }), "contract_invalid"),
            (json!({ "document": twice }), "contract_invalid"),
            (json!({ "document": deep }), "contract_too_large"),
            (json!({ "document": large }), "contract_too_large"),
            (json!({ "upstream_url": "ftp://x" }), "request_invalid"),
            (json!({ "environment": "nowhere", "publish": true }), "request_invalid"),
            (json!({ "base_path": "/health", "publish": true }), "request_invalid"),
            (json!({ "name": "taken", "publish": true }), "route_taken"),
            (json!({ "document": PETS.replace("Pet shop", "ペット") }), "request_invalid"),
            (json!({ "workspace_id": "ws_00000000000000000000000000" }), "not_found"),
            (json!({ "dry_run": true, "publish": true }), ""),
        ];
        for (fields, expected) in table {
            let spec = import_spec(fields.clone());
            let code = match world.control.import(acme, spec).await {
                Ok(imported) => {
                    assert!(imported.dry_run, "{}", imported.version_name);
                    ""
                }
                Err(error) => error.code().as_str(),
            };
            let mut told = fields.to_string();
            told.truncate(80);
            assert_eq!(code, expected, "{told}");
            assert_eq!(census(&world).await, before, "{told}");
        }
    }

    async fn faults_of_documents_have_a_place(url: String) {
        let world = World::new(&url).await;
        let document = PETS.replacen("description: ok", "$ref: '#/components/responses/lost'", 1);
        let error = world.import(&world.acme, json!({ "document": document })).await.unwrap_err();
        let Error::Refused { errors, .. } = &error else { panic!("{error}") };
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].code, "reference_unresolved");
        assert!(errors[0].pointer.starts_with("/paths/~1pets/get/responses/200"), "{errors:?}");
        assert_eq!(errors[0].line, 7);
        assert!(errors[0].column > 0 && !errors[0].suggestion.is_empty());
        let linted = world.control.lint(&world.acme, &document).await.unwrap();
        assert!(!linted.valid && linted.findings.iter().any(|it| it.code == "reference_unresolved"));
        let linted = world.control.lint(&world.acme, PETS).await.unwrap();
        assert_eq!((linted.valid, linted.operations, linted.title.as_str()), (true, 2, "Pet shop"));
    }

    async fn contracts_are_replaced_within_their_version(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.shop().await;
        let other = PETS.replace("Sells pets.", "Sells pets and more.");
        let contract = control.replace_contract(acme, shop.version, &other, None).await.unwrap();
        let version = control.read::<Version>(acme, shop.version).await.unwrap();
        assert_eq!(version.contract_id, Some(contract.id));
        let refused = control.replace_contract(acme, shop.version, &with_version("2"), None).await;
        assert_eq!(refusal(refused), ("contract_invalid", vec!["/info/version".to_owned()]));
    }

    async fn consumers_see_the_gateway_in_the_contract(url: String) {
        let world = World::new(&url).await;
        let shop = world.shop().await;
        let visitor = Caller::anonymous(None);
        let see = async || {
            let seen = world.control.effective_contract(&visitor, shop.version, None).await.unwrap();
            serde_json::from_slice::<Value>(&seen.json).unwrap()
        };
        let seen = see().await;
        assert_eq!(see().await, seen);
        assert_eq!(seen["servers"], json!([{ "url": "http://127.0.0.1:8080/shop" }]));
        let schemes = seen["components"]["securitySchemes"].as_object().unwrap();
        assert!(schemes.values().any(|scheme| scheme["name"] == "X-API-Key"), "{schemes:?}");
        let open = json!({ "api_id": shop.api, "kind": "key_auth", "config": { "required": false } });
        world.make::<domain::traffic::Policy>(&world.acme, &(), open).await.unwrap();
        let seen = see().await;
        assert_eq!(seen.get("security"), None);
        // What is kept does not outlive what it was made of.
        let newer = PETS.replace("Sells pets.", "Sells more pets.");
        world.control.replace_contract(&world.acme, shop.version, &newer, None).await.unwrap();
        assert_eq!(see().await["info"]["description"], "Sells more pets.");
        let (version, route) = world.control.published_version(&visitor, shop.version).await.unwrap();
        assert_eq!((version.id, route.unwrap().spec.base_path.as_str()), (shop.version, "/shop"));
    }

    async fn a_role_in_one_workspace_is_enough(url: String) {
        let world = World::new(&url).await;
        let organization: OrganizationId = world.acme.organization.unwrap();
        let workspace = world.workspace(&world.acme).await;
        let local = Caller {
            roles: Roles { organization: None, workspaces: vec![(workspace, Role::Publisher)] },
            ..member(organization, Role::Viewer)
        };
        let fields = json!({ "name": "shop", "publish": true, "workspace_id": workspace });
        world.import(&local, fields).await.unwrap();
        let viewer = member(organization, Role::Viewer);
        let told = detail(world.import(&viewer, json!({ "name": "shop" })).await);
        assert!(told.starts_with("permission_denied"), "{told}");
    }

    async fn every_step_is_in_the_audit_chain(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let sql = "SELECT action, actor, body FROM audit WHERE organization_id = $1 ORDER BY sequence";
        let organization = store::Arg::text(world.acme.organization.unwrap());
        let rows = world.control.store().fetch_all(sql, &[organization]).await.unwrap();
        let actor = world.acme.actor();
        let mine: Vec<_> = rows.iter().filter(|row| row.text("actor").unwrap() == actor).collect();
        let actions: Vec<_> = mine.iter().map(|row| row.text("action").unwrap()).collect();
        assert_eq!(
            actions,
            ["create_api", "create_version", "import_api", "create_upstream", "create_route", "create_product"]
        );
        for row in mine {
            let body: Value = row.json("body").unwrap();
            assert_eq!(body["request_id"], "req_1");
        }
        let routes = world.control.list::<Route>(&world.acme, &ListQuery::default()).await.unwrap();
        assert_eq!(routes.data.len(), 1);
    }

    async fn changes_at_once_do_not_lock_each_other_out(url: String) {
        let world = Arc::new(World::new(&url).await);
        let shop = world.shop().await;
        let product = world.product(&shop).await;
        let application = world.application(&world.globex, "app").await;
        let subscription = world.subscribe(&application, &world.globex, &product).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let (import, keys, sides) = (Arc::clone(&world), Arc::clone(&world), Arc::clone(&world));
            let (application, subscription, product) = (application.id, subscription.id, product.id);
            tasks.spawn(async move {
                let fields = json!({ "name": "shop", "publish": true, "document": with_version(&number.to_string()) });
                import.import(&import.acme, fields).await.map(drop)
            });
            tasks.spawn(async move {
                let spec = json!({ "application_id": application, "environment": "sandbox" });
                keys.control.issue_key(&keys.globex, from(spec)).await.map(drop)
            });
            tasks.spawn(async move {
                let state = if number % 2 == 0 { "suspended" } else { "active" };
                let patch = json!({ "state": state });
                let turned = sides.control.update::<Subscription>(&sides.acme, subscription, &patch, None).await;
                let title = json!({ "title": number.to_string() });
                let named = sides.control.update::<Product>(&sides.acme, product, &title, None).await;
                turned.map(drop).and(named.map(drop))
            });
        }
        while let Some(done) = tasks.join_next().await {
            // Somebody else may have been quicker; nobody may wait in vain.
            if let Err(error) = done.unwrap() {
                assert_eq!(error.code().as_str(), "precondition_failed", "{error:?}");
            }
        }
        let product = world.product(&shop).await;
        assert_eq!(product.spec.version_ids.len(), 7);
        let report = world.control.verify_audit(&world.acme).await.unwrap();
        assert!(report.valid, "{report:?}");
    }
}
