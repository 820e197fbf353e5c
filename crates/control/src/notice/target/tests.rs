use super::{is_public, webhook};

#[test]
fn only_addresses_of_the_internet_are_public() {
    for public in [
        "1.1.1.1",
        "93.184.215.14",
        "100.63.255.255",
        "198.20.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for private in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2001::1",
        "2002:a00:1::1",
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
}

#[test]
fn webhooks_are_called_at_servers_of_the_internet_only() {
    for good in ["https://hooks.example.com/a?b=c", "https://1.1.1.1:8443/"] {
        assert!(webhook(false, good).is_ok(), "{good}");
    }
    let long = format!("https://example.com/{}", "x".repeat(2000));
    for bad in [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://name@hooks.example.com/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:192.168.0.1]/",
        &long,
    ] {
        assert!(webhook(false, bad).is_err(), "{bad}");
    }
    for private in ["http://127.0.0.1:9/", "https://[::1]/"] {
        assert!(webhook(true, private).is_ok(), "{private}");
    }
    assert!(webhook(true, "ftp://127.0.0.1/").is_err());
}
