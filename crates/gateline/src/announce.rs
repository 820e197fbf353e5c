//! What `up` prints for people, once everything answers.

use std::io::Write;
use std::net::SocketAddr;

use crate::demo::Demo;
use crate::serve::Admin;

/// Prints where everything is and what to type next.
pub(crate) fn print(
    control: Option<&str>,
    gateway: Option<&str>,
    parts: &[(&str, SocketAddr)],
    admin: Option<&Admin>,
    demo: Option<&Demo>,
) {
    let text = text((control, gateway, parts), admin, demo);
    // Who closed our output does not want to know.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Where everything is: control plane, gateway, flagd's services and parts of a lake's cluster.
type Places<'a> = (Option<&'a str>, Option<&'a str>, &'a [(&'a str, SocketAddr)]);

fn text((control, gateway, parts): Places<'_>, admin: Option<&Admin>, demo: Option<&Demo>) -> String {
    let mut text = "\nGateline is running.\n\n".to_owned();
    let mut line = |label: &str, value: &str| text.push_str(&format!("  {label:<11}{value}\n"));
    if let Some(control) = control {
        line("console", &format!("{control}/console/"));
        match admin {
            Some(Admin {
                email,
                password,
                token: Some(_),
            }) => line("", &format!("sign in as {email} with {password}")),
            Some(Admin { email, .. }) => line("", &format!("sign in as {email} with the password you chose")),
            None => {}
        }
        line("portal", &format!("{control}/portal/"));
        line("API", &format!("{control}/api/docs"));
    }
    if let Some(gateway) = gateway {
        line("gateway", gateway);
    }
    for (name, address) in parts {
        line(name, &address.to_string());
    }
    if let Some(demo) = demo {
        line(
            "try it",
            &format!("curl -H 'X-API-Key: {}' '{}'", demo.key, demo.url),
        );
    }
    text.push_str("\nCtrl-C stops it.\n\n");
    text
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::serve::Admin;

    #[test]
    fn people_see_where_to_go_and_how_to_sign_in() {
        let admin = Admin {
            email: "a@b".to_owned(),
            password: "secret".to_owned(),
            token: Some("t".to_owned()),
        };
        let parts = [("scheduler", "127.0.0.1:50050".parse().unwrap())];
        let said = text((Some("http://c"), Some("http://g"), &parts), Some(&admin), None);
        for part in [
            "http://c/console/",
            "sign in as a@b with secret",
            "http://c/portal/",
            "gateway    http://g",
            "scheduler  127.0.0.1:50050",
        ] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let changed = Admin { token: None, ..admin };
        assert!(!text((Some("http://c"), None, &[]), Some(&changed), None).contains("secret"));
    }
}
