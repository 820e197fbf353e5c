use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::{any, prop_assert_eq, prop_assume, proptest};

use super::{FORWARDED, FORWARDED_FOR, Network, Says, client};

fn networks(text: &str) -> Vec<Network> {
    text.split_whitespace().map(|one| one.parse().unwrap()).collect()
}

#[test]
fn networks_are_read_written_and_refused() {
    for (text, written, inside, outside) in [
        ("10.0.0.0/8", "10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
        ("10.1.2.3/8", "10.0.0.0/8", "::ffff:10.9.9.9", "2001:db8::1"),
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
        ("2001:db8::/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("::/0", "::/0", "10.0.0.1", ""),
        ("0.0.0.0/0", "0.0.0.0/0", "10.0.0.1", "2001:db8::1"),
    ] {
        let network: Network = text.parse().unwrap();
        assert_eq!(network.to_string(), written);
        assert!(network.contains(inside.parse().unwrap()), "{text} has {inside}");
        if let Ok(outside) = outside.parse() {
            assert!(!network.contains(outside), "{text} has not {outside}");
        }
    }
    for text in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "a",
        "10.0.0.0/8/8",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}

#[test]
fn the_first_hop_that_is_not_trusted_is_the_client() {
    let trusted = networks("10.0.0.0/8 2001:db8::/32");
    let forwarded_for = [
        ("192.0.2.9", "1.2.3.4", "192.0.2.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4:4711 ,  10.2.2.2:1", "1.2.3.4"),
        ("2001:db8::1", "[2001:db9::5]:80", "2001:db9::5"),
        ("10.0.0.1", "2001:db9::5, ::ffff:10.1.1.1", "2001:db9::5"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.2.3.4, 10.0.0.2, ", "10.0.0.1"),
        ("10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
    ];
    let forwarded = [
        ("10.0.0.1", "for=1.2.3.4", "1.2.3.4"),
        (
            "10.0.0.1",
            "for=6.6.6.6, For=\"1.2.3.4:99\";proto=https, for=10.1.1.1",
            "1.2.3.4",
        ),
        ("10.0.0.1", "proto=http;for=\"[2001:db9::5]:80\"", "2001:db9::5"),
        ("10.0.0.1", "for=1.2.3.4, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        // The comma stands in a quoted string, so this is one element that says nothing of use.
        ("10.0.0.1", "host=\"a, for=6.6.6.6\"", "10.0.0.1"),
        ("10.0.0.1", "for=1.2.3.4;host=\"x\\\",for=6.6.6.6\"", "1.2.3.4"),
    ];
    for (says, name, table) in [
        (Says::XForwardedFor, FORWARDED_FOR, &forwarded_for[..]),
        (Says::Forwarded, FORWARDED, &forwarded[..]),
    ] {
        for (peer, text, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name.clone(), HeaderValue::from_str(text).unwrap());
            let found = client(peer.parse().unwrap(), &trusted, says, &headers);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {text}");
        }
    }
}

#[test]
fn several_fields_are_one_list_and_the_other_field_is_not_believed() {
    let trusted = networks("10.0.0.0/8");
    let mut headers = HeaderMap::new();
    headers.append(FORWARDED_FOR, HeaderValue::from_static("6.6.6.6"));
    headers.append(FORWARDED_FOR, HeaderValue::from_static("1.2.3.4"));
    headers.append(FORWARDED_FOR, HeaderValue::from_static("10.0.0.2"));
    headers.insert(FORWARDED, HeaderValue::from_static("for=7.7.7.7"));
    let peer = "10.0.0.1".parse().unwrap();
    assert_eq!(
        client(peer, &trusted, Says::XForwardedFor, &headers).to_string(),
        "1.2.3.4"
    );
    assert_eq!(
        client(peer, &trusted, Says::Forwarded, &headers).to_string(),
        "7.7.7.7"
    );
}

proptest! {
    #[test]
    fn a_client_cannot_choose_its_address(said in "[ -~]{0,60}", real in any::<u32>(), is_list in any::<bool>()) {
        let trusted = networks("10.0.0.0/8");
        let real = IpAddr::from(std::net::Ipv4Addr::from(real));
        prop_assume!(!trusted[0].contains(real));
        let says = if is_list { Says::XForwardedFor } else { Says::Forwarded };
        // What an honest proxy makes of it: the address that it saw stands at the end.
        let (name, text) = if is_list {
            (FORWARDED_FOR, format!("{said}, {real}"))
        } else {
            (FORWARDED, format!("for={real}"))
        };
        let mut headers = HeaderMap::new();
        headers.append(name.clone(), HeaderValue::from_str(&said).unwrap());
        headers.append(name, HeaderValue::from_str(&text).unwrap());
        let found = client("10.0.0.1".parse().unwrap(), &trusted, says, &headers);
        prop_assert_eq!(found, real);
    }
}
