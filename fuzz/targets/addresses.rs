//! Addresses as they are typed: HOST:PORT, a host, a URL. No name is looked up.
#![no_main]

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use netplay_ftp::location::Location;
use netplay_shared::address::{Endpoint, Family, LONGEST_PATH, host, seen_from_here, socket_path};
use netplay_text::escape::hide_password;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new(OsStr::from_bytes(bytes));
    assert_eq!(socket_path(path.to_owned()).is_ok(), bytes.len() <= LONGEST_PATH);
    url(bytes);

    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(host) = host(text) {
        assert!(!host.is_empty() && !host.contains("://") && !host.contains('@'));
        literal(Endpoint { host: Some(host), port: 7, family: None });
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let host = endpoint.host.as_deref().unwrap();
        assert!(!host.is_empty());
        let again: Endpoint = format!("{host}:{}", endpoint.port).parse().unwrap();
        assert_eq!((&again.host, again.port), (&endpoint.host, endpoint.port));
        literal(endpoint);
    }
    if let Ok(address) = text.parse::<SocketAddr>()
        && !matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0)
    {
        let host = seen_from_here(address);
        let seen: IpAddr = host.parse().unwrap();
        assert_eq!(seen.is_ipv4(), address.is_ipv4());
        assert!(!seen.is_unspecified());
    }
});

/// An address is only read: it has its own family, and no other.
fn literal(endpoint: Endpoint) {
    let host = endpoint.host.as_deref().unwrap();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let Ok(ip) = bare.parse::<IpAddr>() else { return };
    assert_eq!(endpoint.resolve().unwrap(), SocketAddr::new(ip, endpoint.port));
    for (family, is) in [(Family::V4, ip.is_ipv4()), (Family::V6, ip.is_ipv6())] {
        let wanted = Endpoint { family: Some(family), ..endpoint.clone() };
        assert_eq!(wanted.resolve().is_ok(), is);
    }
}

fn url(bytes: &[u8]) {
    let Ok(location) = Location::read(OsStr::from_bytes(bytes)) else { return };
    assert!(!location.host.is_empty());
    assert!(location.same_session(&location));
    // Each of these goes into a command of FTP, which is a line.
    let user = location.user.as_deref().unwrap_or("u");
    let password = location.password.as_deref().unwrap_or("p");
    for part in [user.as_bytes(), password.as_bytes(), &location.path] {
        assert!(!part.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
    }
    if let (Some(password), Ok(text)) = (&location.password, str::from_utf8(bytes)) {
        let hidden = hide_password(text);
        let stars = |text: &str| text.matches('*').count();
        assert!(stars(&hidden) >= password.chars().count(), "{hidden} shows a password");
    }
}
