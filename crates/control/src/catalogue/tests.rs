use domain::id::ProductId;
use serde_json::json;
use store::on_both;

use super::CatalogueQuery;
use crate::Caller;
use crate::fixture::{PETS, World, detail};

async fn found(world: &World, caller: &Caller, q: Option<&str>) -> Vec<String> {
    let query = CatalogueQuery {
        q: q.map(ToOwned::to_owned),
        ..CatalogueQuery::default()
    };
    let listed = world.control.catalogue(caller, &query).await.unwrap();
    listed
        .data
        .into_iter()
        .map(|product| product.name.to_string())
        .collect()
}

on_both! {
    async fn visitors_find_what_is_public(url: String) {
        let world = World::new(&url).await;
        let shop = world.shop().await;
        let wine = PETS.replace("Pet shop", "Wine");
        let hidden = json!({ "name": "cellar", "publish": true, "visibility": "private", "document": wine });
        let hidden = world.import(&world.globex, hidden).await.unwrap();
        let visitor = Caller::anonymous(None);
        assert_eq!(found(&world, &visitor, None).await, ["shop"]);
        assert_eq!(found(&world, &world.acme, None).await, ["shop"]);
        assert_eq!(found(&world, &world.globex, None).await, ["cellar", "shop"]);
        assert_eq!(found(&world, &world.globex, Some("SHO")).await, ["shop"]);
        assert_eq!(found(&world, &world.globex, Some("%")).await, Vec::<String>::new());

        let product = world.control.catalogue_product(&visitor, shop.product.unwrap()).await.unwrap();
        assert_eq!(product.product.provider, "ACME");
        assert_eq!(product.product.apis[0].name.as_str(), "shop");
        assert_eq!(product.product.plans[0].spec.name.as_str(), "free");
        assert_eq!(product.versions[0].version.id, shop.version);
        assert_eq!(product.versions[0].routes[0].base_url, "http://127.0.0.1:8080/shop");
        assert_eq!(product.versions[0].routes[0].environment.as_str(), "sandbox");
        let missing = "not_found: There is no such product, or you may not see it.";
        let id: ProductId = hidden.product.unwrap();
        assert_eq!(detail(world.control.catalogue_product(&visitor, id).await), missing);
        assert_eq!(detail(world.control.catalogue_product(&world.acme, id).await), missing);
        assert!(world.control.catalogue_product(&world.globex, id).await.is_ok());
    }

    async fn titles_tell_both_sides(url: String) {
        let world = World::new(&url).await;
        let product = world.product(&world.shop().await).await;
        let application = world.application(&world.globex, "app").await;
        let made = world.subscribe(&application, &world.globex, &product).await.unwrap();
        let titles = world.control.subscription_titles(&[made]).await.unwrap().remove(0);
        let expected = ["app", "GLOBEX", "ACME", "Pet shop", "Free"];
        let found = [
            titles.application_title,
            titles.organization_title,
            titles.provider_title,
            titles.product_title,
            titles.plan_title,
        ];
        assert_eq!(found, expected);
    }
}
