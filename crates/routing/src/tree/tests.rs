use super::Tree;

fn tree(templates: &[&'static str]) -> Tree<&'static str> {
    let mut tree = Tree::default();
    for template in templates {
        tree.insert(template, *template);
    }
    tree
}

#[test]
fn paths_find_the_most_specific_template() {
    let tree = tree(&[
        "/",
        "/pets",
        "/pets/",
        "/pets/mine",
        "/pets/{id}",
        "/pets/{id}/toys/{toy}",
        "/pets/mine/food",
        "/files/{name}.{format}",
        "/files/{name}.json",
        "/files/{name}",
        "/jobs/{id}:cancel",
        "/compare/{base}...{head}",
        "/caf%C3%A9",
        "/{first}/{second}/{third}/{fourth}",
    ]);
    let table = [
        ("/", Some("/")),
        ("", Some("/")),
        ("/pets", Some("/pets")),
        ("/pets/", Some("/pets/")),
        ("/p%65ts", Some("/pets")),
        ("/pets/mine", Some("/pets/mine")),
        ("/pets/7", Some("/pets/{id}")),
        ("/pets/a%2Fb", Some("/pets/{id}")),
        ("/pets/mine/toys/1", Some("/pets/{id}/toys/{toy}")),
        ("/pets/mine/food", Some("/pets/mine/food")),
        ("/pets/7/toys/", None),
        ("/pets//", None),
        ("/files/a.json", Some("/files/{name}.json")),
        ("/files/a.xml", Some("/files/{name}.{format}")),
        ("/files/a", Some("/files/{name}")),
        ("/files/.json", Some("/files/{name}")),
        ("/jobs/7:cancel", Some("/jobs/{id}:cancel")),
        ("/jobs/:cancel", None),
        ("/compare/a...b", Some("/compare/{base}...{head}")),
        ("/compare/a..b", None),
        ("/caf%c3%a9", Some("/caf%C3%A9")),
        ("/a/b/c/d", Some("/{first}/{second}/{third}/{fourth}")),
        ("/a/b/c", None),
        ("/%", None),
        ("/pets/%ff", Some("/pets/{id}")),
        ("/files/%ff%2Ejson", Some("/files/{name}.json")),
    ];
    for (path, expected) in table {
        assert_eq!(tree.find(path, |values| Some(values[0])), expected, "{path}");
    }
}

#[test]
fn a_less_specific_template_is_offered_next() {
    let tree = tree(&["/pets/{id}", "/pets/mine"]);
    let mut offered = Vec::new();
    let none: Option<()> = tree.find("/pets/mine", |values| {
        offered.push(values[0]);
        None
    });
    assert_eq!((none, offered), (None, vec!["/pets/mine", "/pets/{id}"]));
}

#[test]
fn parameter_names_do_not_matter() {
    let tree = tree(&["/pets/{id}", "/pets/{pet_id}/toys"]);
    assert_eq!(
        tree.find("/pets/1/toys", |values| Some(values[0])),
        Some("/pets/{pet_id}/toys")
    );
    assert_eq!(tree.find("/pets/1", |values| Some(values[0])), Some("/pets/{id}"));
}

#[test]
fn a_path_of_many_segments_ends_soon() {
    let tree = tree(&["/{a}/{b}/{c}/x", "/{a}/{b}/{c}/y"]);
    assert_eq!(tree.find(&"/a".repeat(10_000), |values| Some(values[0])), None);
}
