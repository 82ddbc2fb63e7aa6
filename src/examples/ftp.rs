//! # ftp: a file server with two connections
//!
//! ```text
//! client                                               server
//! connect        ──── the control connection ────────▶ accept         lines of text, both ways
//!   send "PASV"                                          socket, bind, listen
//!                                        "227 … (127,0,0,1,156,64)"
//! connect 40000  ──── a data connection ─────────────▶   accept
//!   send "RETR poem.txt"                                 "150 …"
//!                ◀─── the bytes of the file ──────────   sendfile
//! recv = 0       ◀─── FIN: that was the file ─────────   close
//!                                        "226 …"
//!   send "QUIT"                          "221 …"
//! close                                                close
//! ```
//!
//! FTP (RFC 959) shows what a real protocol needs and the three letters of `mini-ftp` do not have: replies that
//! say what went wrong, an end of a file that is not mistaken for a failure, a way to continue a
//! transfer that was cut.
//!
//! Watch for the second connection. The control connection lives as long as the session. Each
//! file and each listing gets a data connection, and its end is the end of the file. Its port
//! travels as two decimal numbers, the bytes of a 16-bit number in network order:
//! [`six_numbers`](netplay_ftp::data::six_numbers) makes them with `htons`.
//!
//! The password goes over the wire as it is typed, like everything else here: on a network that others share,
//! use something that encrypts.
//!
//! This page is the server's loop: a thread for each client, as on the `thread` page. The conversation on the two
//! connections, and the clients, are in a crate of their own: read on in [`netplay_ftp`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use libc::POLLIN;
use netplay_ftp::guesses::Guesses;
use netplay_ftp::guests::{Full, Guest, Guests, Limits};
use netplay_ftp::login::{Login, USER, number, seconds};
use netplay_ftp::root::{self, Root};
use netplay_ftp::session::{Rules, converse};
use netplay_ftp::{client, get, put};
use netplay_text::say;
use nix::errno::Errno;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use crate::address::Endpoint;
use crate::call::{
    self, Domain, FcntlArg, IPV6_V6ONLY, MSG_DONTWAIT, MSG_NOSIGNAL, OFlag, SO_REUSEADDR,
    TcpListener, TcpStream, Type, pollfd,
};
use crate::escape::file_name;
use crate::lang::Lang;
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;
use crate::trace::remark;

/// Serves a folder until the stop, with a thread for each client.
pub fn serve(args: &ServerArgs, options: &ServerOptions, stop: &Stop) -> Result<Stats> {
    let rules = &rules(args, options)?;
    let of_one_address = options.max_per_host.unwrap_or(args.max_clients);
    let guests = &Guests::new(Limits { clients: args.max_clients, of_one_address });
    let listeners = listeners(&args.endpoint, args.backlog)?;
    let waiting: Vec<_> = listeners.iter().map(|listener| stop.watch(listener)).collect();

    let total = &Mutex::new(Stats::default());
    let left = &stop.semaphore(0)?; // one more for each client that has left
    let mut accepted = 0;
    thread::scope(|scope| -> Result<()> {
        // `or` notices the stop, and passes it on to the threads.
        while !args.full(accepted) {
            let mut list: Vec<pollfd> = listeners
                .iter()
                .map(|listener| pollfd { fd: listener.as_raw_fd(), events: POLLIN, revents: 0 })
                .collect();
            let Some(_) = waiting[0].or(|| call::poll(&mut list, None))? else { break };
            for ((listener, waiting), seen) in listeners.iter().zip(&waiting).zip(&list) {
                if seen.revents == 0 || args.full(accepted) {
                    continue;
                }
                let (peer, client) = match waiting.or(|| call::accept(listener)) {
                    Ok(Some(accepted)) => accepted,
                    Ok(None) => break,
                    // Ready is a hint: the client may have gone again.
                    Err(error) if error.would_block() => continue,
                    Err(error) => return Err(error.into()),
                };
                let peer = Arc::new(peer);
                let guesses = rules.guesses.come_from(client.ip(), Instant::now());
                let guest = match guests.arrive(&peer, client.ip(), guesses) {
                    Ok(guest) => guest,
                    Err(why) => {
                        turn_away(peer, client, why);
                        continue;
                    }
                };
                accepted += 1;
                let (hand_over, handed) = sync_channel::<(Arc<TcpStream>, Guest<'_>)>(1);
                let serve_one = move || {
                    let Ok((peer, guest)) = handed.recv() else { return };
                    let mut stats = Stats { clients: 1, ..Stats::default() };
                    let served = converse(&peer, client, guest, rules, stop, &mut stats);
                    if let Err(error) = served.and(close(peer)) {
                        server::lost(client, &error);
                    }
                    total.lock().unwrap_or_else(PoisonError::into_inner).add(stats);
                    left.release();
                };
                let thread = thread::Builder::new().stack_size(256 * 1024);
                match thread.spawn_scoped(scope, serve_one) {
                    Ok(_) => {
                        hand_over.send((peer, guest)).expect("the thread takes it first of all");
                    }
                    Err(error) => {
                        server::no_thread(client, &error);
                        drop(guest);
                        close(peer)?;
                        left.release();
                    }
                }
            }
        }
        // The only client is being served: wait for its end here, where a stop also ends the wait.
        if args.full(accepted) {
            left.acquire()?;
        }
        Ok(())
    })?;
    drop(waiting);
    for listener in listeners {
        call::close(listener)?;
    }
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*total)
}

/// The listener, and one for the other family on the same port where the first is for this machine
/// (127.0.0.1) or for every address (0.0.0.0, ::): a client that says `localhost` may mean either.
fn listeners(endpoint: &Endpoint, backlog: i32) -> Result<Vec<TcpListener>> {
    let asked = endpoint.resolve()?;
    let mut tries = 0;
    loop {
        tries += 1;
        let first = listen(asked, backlog)?;
        let address = call::getsockname(&first)?;
        let twin = match address.ip() {
            _ if endpoint.family.is_some() => None,
            IpAddr::V4(ip) if ip.is_loopback() => Some(IpAddr::from(Ipv6Addr::LOCALHOST)),
            IpAddr::V4(ip) if ip.is_unspecified() => Some(Ipv6Addr::UNSPECIFIED.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED.into()),
            _ => None,
        };
        let mut listeners = vec![first];
        if let Some(ip) = twin {
            let twin = SocketAddr::new(ip, address.port());
            match listen(twin, backlog) {
                Ok(second) => {
                    let told =
                        say!(Lang::current(), "also reachable at {twin}", "也可以在 {twin} 访问");
                    tracing::info!("{told}");
                    listeners.push(second);
                }
                // The kernel chose a port that is free in one family only: it may choose again.
                Err(error)
                    if error.errno() == Errno::EADDRINUSE && asked.port() == 0 && tries < 100 =>
                {
                    for listener in listeners {
                        call::close(listener)?;
                    }
                    continue;
                }
                Err(error) => {
                    let told = say!(
                        Lang::current(),
                        "not reachable in the other family: {error}",
                        "另一个地址族不可用：{error}",
                    );
                    tracing::warn!("{told}");
                }
            }
        }
        server::announce("tcp", address)?;
        return Ok(listeners);
    }
}

fn listen(address: SocketAddr, backlog: i32) -> call::Result<TcpListener> {
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if address.is_ipv6() {
        // A listener on :: would also take IPv4 clients, but those have a listener of their own.
        call::setsockopt(&socket, IPV6_V6ONLY, 1)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, backlog)?;
    call::fcntl(&listener, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    Ok(listener)
}

/// 421 instead of the greeting. A new connection's buffer has room for a line: this does not wait.
fn turn_away(peer: Arc<TcpStream>, client: SocketAddr, why: Full) {
    server::no_room(client, why.told(Lang::current()));
    let line = format!("421 Come back later: {}.\r\n", why.reply());
    let _ = call::send(&*peer, line.as_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    let _ = close(peer);
}

/// Closes a connection that there is no room for: this is the only reference to it.
fn close(peer: Arc<TcpStream>) -> call::Result<()> {
    Arc::into_inner(peer).map_or(Ok(()), call::close)
}

/// How long a client may be silent, unless `--idle-timeout` says something else.
const IDLE: Duration = Duration::from_secs(300);

/// The options, read.
fn rules(args: &ServerArgs, options: &ServerOptions) -> Result<Rules> {
    let folder = options.root.as_deref().unwrap_or(Path::new("."));
    let root = Root::open(folder).with_context(|| no_folder(folder))?;
    let user = options.login.user.clone();
    let mut password = options.login.password()?;
    let anonymous = options.anonymous;
    let mut read_only = options.read_only;
    if password.is_none() && (user.is_some() || !anonymous) {
        let once = root::random()?;
        read_only |= user.is_none();
        let lang = Lang::current();
        let may = match read_only {
            true => lang.pick("read", "读取"),
            false => lang.pick("read and write", "读写"),
        };
        let name = user.as_deref().unwrap_or(USER);
        let folder = file_name(folder);
        remark(say!(
            lang,
            "for this run: user {name}, password {once}, who may {may} {folder}",
            "本次运行：用户 {name}，密码 {once}，可以{may} {folder}",
        ));
        password = Some(once);
    }
    Ok(Rules {
        root,
        user: user.unwrap_or_else(|| USER.to_owned()),
        password,
        guesses: Guesses::default(),
        anonymous,
        read_only,
        idle: args.idle_timeout.unwrap_or(IDLE),
        stall: options.stall_timeout,
        data_wait: options.data_wait,
        ports: options.passive_ports,
    })
}

fn no_folder(folder: &Path) -> String {
    let folder = file_name(folder);
    say!(Lang::current(), "cannot serve the folder {folder}", "无法提供目录 {folder}")
}

/// `50000-50100`.
fn ports(text: &str) -> Result<(u16, u16)> {
    let read = text
        .split_once('-')
        .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
    match read {
        Some((low, high)) if 0 < low && low <= high => Ok((low, high)),
        _ => bail!("it must be two ports, the lower one first, such as 50000-50100"),
    }
}

/// The options of the server.
#[derive(Debug, Args)]
#[command(mut_arg("max_clients", |arg| {
    arg.default_value("64")
        .help("How many clients to serve at once; the others are told to come back later")
}))]
#[command(mut_arg("idle_timeout", |arg| {
    arg.help("Close the connection of a client that was silent for this long [default: 300]")
}))]
pub struct ServerOptions {
    /// The folder to serve [default: the current one]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(flatten)]
    login: Login,
    /// Let any client log in as anonymous, to read
    #[arg(long)]
    anonymous: bool,
    /// Refuse every change
    #[arg(long)]
    read_only: bool,
    /// End a transfer in which no byte moves for this long
    #[arg(long, value_name = "SECS", default_value = "60", value_parser = seconds)]
    stall_timeout: Duration,
    /// Wait this long for a data connection
    #[arg(long, value_name = "SECS", default_value = "20", value_parser = seconds)]
    data_wait: Duration,
    /// The ports for data connections [default: any]
    #[arg(long, value_name = "LO-HI", value_parser = ports)]
    passive_ports: Option<(u16, u16)>,
    /// The most clients from one address [default: as many as --max-clients]
    #[arg(long, value_name = "N", value_parser = number)]
    max_per_host: Option<usize>,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "ftp",
    short: None,
    summary: Both {
        en: "a file server that every FTP client can use: two connections, lines and bytes",
        zh: "任何 FTP 客户端都能使用的文件服务器：两条连接，一条传命令，一条传数据",
    },
    watch: Both {
        en: "each file and each listing has a connection of its own, whose port PASV tells as two \
              decimal numbers; the end of the connection is the end of the file",
        zh: "每个文件、每个列表都有自己的连接，端口由 PASV 用两个十进制数给出；连接结束就是文件结束",
    },
    place: Place::Internet,
    purpose: Purpose::Files,
    at_once: row::AtOnce::All,
    reply: None,
    server: Some(&row::Server(serve)),
    client: &row::Client(|args, login| Ok(client(args, login)?)),
    tools: &[
        row::Tool {
            name: "get",
            about: "Fetch files: each has its name when it is whole, and FILE.part until then",
            run: &row::Task(|timeout, told| Ok(get(timeout, told)?)),
        },
        row::Tool {
            name: "put",
            about: "Send files: to the name in the URL, or into its folder if it ends with /",
            run: &row::Task(|timeout, told| Ok(put(timeout, told)?)),
        },
    ],
    demo: Demo {
        server: &["--user=student", "--password-file=password"],
        client: &["--user=student", "--password-file=password"],
        steps: script::THERE_AND_BACK,
    },
    next: Some(Both {
        en: "netplay ftp server --anonymous, and curl ftp://127.0.0.1:5858/ beside it",
        zh: "netplay ftp server --anonymous，同时在另一个终端 curl ftp://127.0.0.1:5858/",
    }),
    lesson: "ftp",
};
