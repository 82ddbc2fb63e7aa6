//! Addresses of sockets as every record writes them.

use socket2::SockAddr;

use netplay_text::escape::escape;

/// `127.0.0.1:5858`, `[::1]:5858`, a path, `@abstract`, or `(unnamed)`.
pub fn address_text(address: &SockAddr) -> String {
    if let Some(address) = address.as_socket() {
        address.to_string()
    } else if let Some(path) = address.as_pathname() {
        escape(path.as_os_str().as_encoded_bytes())
    } else if let Some(name) = address.as_abstract_namespace() {
        format!("@{}", escape(name))
    } else {
        "(unnamed)".to_owned()
    }
}
