use super::{Error, Part, Template, without_query};

fn literal(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn parameter(name: &str) -> Part {
    Part::Parameter {
        name: name.to_owned(),
    }
}

#[test]
fn paths_are_taken_apart() {
    let cases = [
        ("/", vec![vec![]], "/"),
        ("/pets", vec![vec![literal("pets")]], "/pets"),
        ("/pets/", vec![vec![literal("pets")], vec![]], "/pets/"),
        (
            "/pets/{id}",
            vec![vec![literal("pets")], vec![parameter("id")]],
            "/pets/{}",
        ),
        (
            "/{a}.{b}",
            vec![vec![parameter("a"), literal("."), parameter("b")]],
            "/{}.{}",
        ),
        (
            "/x{a}:run",
            vec![vec![literal("x"), parameter("a"), literal(":run")]],
            "/x{}:run",
        ),
        ("/{Key+}", vec![vec![parameter("Key")]], "/{}"),
        ("/{+name}", vec![vec![parameter("name")]], "/{}"),
        (
            "/a(id='{id}')",
            vec![vec![literal("a(id='"), parameter("id"), literal("')")]],
            "/a(id='{}')",
        ),
    ];
    for (path, segments, shape) in cases {
        let template = Template::parse(path).unwrap();
        assert_eq!(template.segments, segments, "{path}");
        assert_eq!(template.shape(), shape, "{path}");
    }
}

#[test]
fn what_is_no_template_is_refused() {
    let unbalanced = |segment: &str| Error::Unbalanced {
        segment: segment.to_owned(),
    };
    let cases = [
        ("", Error::NoSlash { path: String::new() }),
        (
            "pets",
            Error::NoSlash {
                path: "pets".to_owned(),
            },
        ),
        ("/{id", unbalanced("{id")),
        ("/id}", unbalanced("id}")),
        ("/{a{b}}", unbalanced("{a{b}}")),
        ("/{a/b}", unbalanced("{a")),
        (
            "/{}",
            Error::Unnamed {
                segment: "{}".to_owned(),
            },
        ),
        (
            "/{+}",
            Error::Unnamed {
                segment: "{+}".to_owned(),
            },
        ),
        (
            "/{ }",
            Error::Unnamed {
                segment: "{ }".to_owned(),
            },
        ),
    ];
    for (path, error) in cases {
        assert_eq!(Template::parse(path), Err(error), "{path}");
    }
}

#[test]
fn a_name_that_stands_twice_is_found() {
    assert_eq!(
        Template::parse("/{a}/{b}/{a}").unwrap().parameter_twice(),
        Some("a")
    );
    assert_eq!(Template::parse("/{a}/{b}").unwrap().parameter_twice(), None);
}

#[test]
fn query_and_fragment_are_cut_off() {
    for (path, served) in [
        ("/a", "/a"),
        ("/a?b=c", "/a"),
        ("/a#b", "/a"),
        ("/a{?b,c}", "/a"),
        ("/#x", "/"),
        ("?a", ""),
        ("/{a}?", "/{a}"),
    ] {
        assert_eq!(without_query(path), served, "{path}");
    }
}

#[test]
fn the_same_paths_have_the_same_shape() {
    let shape = |path| Template::parse(path).unwrap().shape();
    for (one, other) in [
        ("/{a}", "/{b}"),
        ("/{a}{b}", "/{c}"),
        ("/{a}", "/{a+}"),
        ("/a%20b", "/a b"),
        ("/%41", "/A"),
        ("/{a}.{b}", "/{b}.{a}"),
    ] {
        assert_eq!(shape(one), shape(other));
    }
    for (one, other) in [
        ("/a/", "/a"),
        ("/%7B%7D", "/{a}"),
        ("/a%2Fb", "/a/b"),
        ("/A", "/a"),
    ] {
        assert_ne!(shape(one), shape(other));
    }
}
