//! The server of the page: who may ask, and what is answered.
//!
//! ```text
//! GET /TOKEN/                    the page as it is now
//! GET /TOKEN/events?after=PLACE  what is new since then, for ever: server-sent events (the HTML standard, 9.2)
//! GET /TOKEN/next?n=N            lets the call go on that is held as the Nth; /TOKEN/on all of them
//! ```
//!
//! Only a browser that was given the address knows the token. A page of another site cannot learn it, and what it asks without
//! it is refused. A name that an attacker's DNS server points to this machine would make such a page one of the same
//! site; so a request must name the host as this address, or as localhost.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::http::response::Builder;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use netplay_draw::live::Place;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::lock::lock;
use super::shared::Shared;
use super::steps::Step;

/// How many connections there may be at once.
const MANY: usize = 100;

/// How long a browser may take for the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// How long nothing is said on a connection: then a browser that has gone is noticed.
const SILENCE: Duration = Duration::from_secs(5);

/// How long browsers may take, at the end, to read what is left.
const LAST: Duration = Duration::from_secs(2);

/// Serves until all is over, and the browsers have it.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    let mut changed = shared.changed.subscribe();
    while !shared.over.load(SeqCst) {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.ok().map(|(stream, _)| stream),
            _ = changed.changed() => None,
        };
        while connections.try_join_next().is_some() {}
        let Some(stream) = stream.filter(|_| connections.len() < MANY) else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(&request, address, &shared)) }
            });
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST, async { while connections.join_next().await.is_some() {} })
        .await;
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Page,
    Events,
    Step(Step, u64),
}

/// What a request is for, if it may ask.
fn wish(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    (address, token): (SocketAddr, &str),
) -> Result<Wish, StatusCode> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if headers.get_all(HOST).iter().count() != 1
        || !host.is_some_and(|host| is_ours(host, address.port()))
    {
        return Err(StatusCode::FORBIDDEN);
    }
    let path = path.strip_prefix('/').unwrap_or_default();
    let (given, path) = path.split_once('/').unwrap_or((path, "-"));
    if !is_same(given, token) {
        return Err(StatusCode::FORBIDDEN);
    }
    if method != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let n = || query?.strip_prefix("n=")?.parse().ok();
    let step = |step: Step| n().map(|n| Wish::Step(step, n)).ok_or(StatusCode::BAD_REQUEST);
    match path {
        "" => Ok(Wish::Page),
        "events" => Ok(Wish::Events),
        "next" => step(Step::Next),
        "on" => step(Step::On),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// Whether a request names this host by an address, or as localhost: `127.0.0.1:8000`, `[::1]:8000`. A name of DNS may belong
/// to anybody.
fn is_ours(host: &str, port: u16) -> bool {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()),
        _ => (host, Some(80)),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    given == Some(port)
        && (name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok())
}

/// Compares in a time that does not depend on where the texts differ.
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn answer(
    request: &Request<hyper::body::Incoming>,
    address: SocketAddr,
    shared: &Arc<Shared>,
) -> Response<Answer> {
    let uri = request.uri();
    let headers = request.headers();
    let known = (address, shared.token.as_str());
    match wish(request.method(), uri.path(), uri.query(), headers, known) {
        Ok(Wish::Page) => page(shared),
        Ok(Wish::Events) => {
            let place = headers.get("last-event-id").and_then(|id| id.to_str().ok());
            let after = uri.query().and_then(|query| query.strip_prefix("after="));
            events(shared, place.or(after).and_then(Place::read).unwrap_or_default())
        }
        Ok(Wish::Step(step, n)) if shared.steps.press(n, step) => plain(StatusCode::NO_CONTENT),
        Ok(Wish::Step(..)) => plain(StatusCode::CONFLICT),
        Err(status) => plain(status),
    }
}

/// What every answer says: nothing of it is for another site, nor for a cache.
fn guarded(status: StatusCode) -> Builder {
    Response::builder()
        .status(status)
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .header("cross-origin-resource-policy", "same-origin")
        .header("cross-origin-opener-policy", "same-origin")
        .header("x-frame-options", "DENY")
}

fn whole(builder: Builder, body: String) -> Response<Answer> {
    builder.body(Answer::Whole(Some(body.into()))).expect("the headers are constants, and valid")
}

fn plain(status: StatusCode) -> Response<Answer> {
    let builder = guarded(status).header("content-type", "text/plain; charset=utf-8");
    let builder = match status {
        StatusCode::METHOD_NOT_ALLOWED => builder.header("allow", "GET"),
        _ => builder,
    };
    let text = match status {
        StatusCode::NO_CONTENT => String::new(),
        status => format!("{status}\n"),
    };
    whole(builder, text)
}

fn page(shared: &Shared) -> Response<Answer> {
    let mut body = Vec::new();
    lock(&shared.page).draw(&mut body).expect("a Vec takes everything");
    let body = String::from_utf8(body).expect("a page is text");
    let mut answer =
        whole(guarded(StatusCode::OK).header("content-type", "text/html; charset=utf-8"), body);
    // The page itself names its script and its styles; only a header can say that no other page may show it within its own.
    let policy = HeaderValue::from_static("frame-ancestors 'none'");
    answer.headers_mut().insert("content-security-policy", policy);
    answer
}

fn events(shared: &Arc<Shared>, place: Place) -> Response<Answer> {
    // One piece waits to be written, and one is made when that is gone.
    let (to, stream) = mpsc::channel(1);
    tokio::spawn(tell(Arc::clone(shared), place, to));
    guarded(StatusCode::OK)
        .header("content-type", "text/event-stream; charset=utf-8")
        .body(Answer::Stream(stream))
        .expect("the headers are constants, and valid")
}

/// Counts a browser as long as it hears of the page.
struct Browser(Arc<Shared>);

impl Browser {
    fn of(shared: Arc<Shared>) -> Browser {
        shared.browsers.fetch_add(1, SeqCst);
        *lock(&shared.opened) = true;
        shared.opening.notify_all();
        Browser(shared)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.0.browsers.fetch_sub(1, SeqCst);
    }
}

/// Tells a browser what it does not have, whenever it has read what it was told before.
async fn tell(shared: Arc<Shared>, mut place: Place, to: mpsc::Sender<Bytes>) {
    let browser = Browser::of(shared);
    let shared = &browser.0;
    let mut changed = shared.changed.subscribe();
    let mut told = None;
    let mut text = "retry: 500\n\n".to_owned();
    loop {
        changed.borrow_and_update();
        let over = shared.over.load(SeqCst);
        if let Some((news, next)) = lock(&shared.page).since(place) {
            text += &format!("id: {next}\ndata: {news}\n\n");
            place = next;
        }
        let board = lock(&shared.board).clone();
        if told != Some(board.version) {
            told = Some(board.version);
            let json = serde_json::to_string(&board).expect("it is all numbers and texts");
            text += &format!("event: board\ndata: {json}\n\n");
        }
        if over {
            text += "event: ended\ndata: \n\n";
        }
        if !text.is_empty() && to.send(std::mem::take(&mut text).into()).await.is_err() || over {
            return;
        }
        if tokio::time::timeout(SILENCE, changed.changed()).await.is_err() {
            text += ":\n\n";
        }
    }
}

/// The body of an answer.
enum Answer {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Stream(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn asked(method: &Method, host: &[&str], target: &str) -> Result<Wish, StatusCode> {
        let mut headers = HeaderMap::new();
        for host in host {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        wish(method, path, query, &headers, (([127, 0, 0, 1], 8000).into(), TOKEN))
    }

    #[test]
    fn only_those_who_know_the_token_and_this_host_may_ask() {
        let get = |host: &[&str], target: &str| asked(&Method::GET, host, target);
        let page = format!("/{TOKEN}/");
        let forbidden = Err(StatusCode::FORBIDDEN);
        for host in ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "192.0.2.7:8000"] {
            assert_eq!(get(&[host], &page), Ok(Wish::Page), "{host}");
        }
        for host in
            ["evil.example:8000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8000", ""]
        {
            assert_eq!(get(&[host], &page), forbidden, "{host}");
        }
        assert_eq!(get(&[], &page), forbidden);
        assert_eq!(get(&["127.0.0.1:8000", "evil.example"], &page), forbidden);
        for target in ["/", "/favicon.ico", "/0123/", &page[..page.len() - 3], "/x/events?n=1"] {
            assert_eq!(get(&["127.0.0.1:8000"], target), forbidden, "{target}");
        }
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let get = |of: &str| asked(&Method::GET, &["localhost:8000"], &format!("/{TOKEN}{of}"));
        assert_eq!(get("/events?after=1.2"), Ok(Wish::Events));
        assert_eq!(get("/next?n=7"), Ok(Wish::Step(Step::Next, 7)));
        assert_eq!(get("/on?n=7"), Ok(Wish::Step(Step::On, 7)));
        assert_eq!(get("/next"), Err(StatusCode::BAD_REQUEST));
        assert_eq!(get(""), Err(StatusCode::NOT_FOUND));
        assert_eq!(get("/../etc/passwd"), Err(StatusCode::NOT_FOUND));
        for method in [Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT] {
            let asked = asked(&method, &["localhost:8000"], &format!("/{TOKEN}/"));
            assert_eq!(asked, Err(StatusCode::METHOD_NOT_ALLOWED), "{method}");
        }
    }
}
