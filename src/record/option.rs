//! Options of a socket, and the flags of a descriptor.

use super::text::{Args, number};
use super::{Event, Failure, Told};

/// A call that reads or changes what a socket is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sockopt {
    /// setsockopt(2), with the option's name in the manual.
    Setsockopt(String),
    /// setsockopt(2) that joins a multicast group, or leaves it.
    Membership {
        /// The option's name.
        option: String,
        /// Whether it joins.
        joins: bool,
        /// Which group.
        group: String,
        /// Through which device; `None`: any.
        device: Option<String>,
    },
    /// getsockopt(2)
    Getsockopt(String),
    /// fcntl(2)
    Fcntl(Fcntl),
}

/// What `fcntl` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fcntl {
    /// F_GETFL, and the flags that were there.
    GetFlags(String),
    /// F_SETFL
    SetFlags {
        /// With O_NONBLOCK.
        nonblock: bool,
        /// With O_ASYNC.
        signals: bool,
    },
    /// F_SETOWN: who gets its signals.
    SetOwner(i32),
    /// F_SETLKW, to have the lock.
    Lock,
    /// F_SETLKW, to give it back.
    Unlock,
    /// Something else, in the manual's word.
    Other(String),
}

/// The third argument, as the manual spells it.
fn option_name(args: Args<'_>) -> String {
    args.nth(2).trim_end_matches("_OLD").to_owned()
}

impl Default for Fcntl {
    fn default() -> Fcntl {
        Fcntl::Other(String::new())
    }
}

impl Fcntl {
    fn read(args: Args<'_>, event: &Event) -> Fcntl {
        match args.nth(1) {
            "F_GETFL" => {
                let flags = event.out.as_deref().unwrap_or_default();
                Fcntl::GetFlags(
                    flags.trim_matches(['(', ')']).trim_start_matches("flags ").to_owned(),
                )
            }
            "F_SETFL" => {
                Fcntl::SetFlags { nonblock: args.has("O_NONBLOCK"), signals: args.has("FASYNC") }
            }
            "F_SETOWN" => Fcntl::SetOwner(args.nth(2).parse().unwrap_or_default()),
            "F_SETLKW" if args.has("F_UNLCK") => Fcntl::Unlock,
            "F_SETLKW" => Fcntl::Lock,
            other => Fcntl::Other(other.to_owned()),
        }
    }

    fn english(&self) -> String {
        match self {
            Fcntl::SetFlags { signals: true, .. } => {
                "from now on SIGIO tells when something happens here; and it is non-blocking"
                    .to_owned()
            }
            Fcntl::SetFlags { nonblock: true, .. } => {
                "non-blocking from now on: a call that would wait fails with EAGAIN".to_owned()
            }
            Fcntl::SetFlags { .. } => "its calls wait again".to_owned(),
            Fcntl::SetOwner(process) => format!("its signals go to process {process}"),
            Fcntl::Unlock => {
                "the lock is given back: one of those that wait for it gets it".to_owned()
            }
            Fcntl::Lock => {
                "the lock is this process's: the others wait until it is given back".to_owned()
            }
            Fcntl::GetFlags(flags) => format!("its flags are {flags}"),
            Fcntl::Other(command) => format!("{command} is done"),
        }
    }

    /// In the words of a picture.
    fn short(&self) -> &str {
        match self {
            Fcntl::GetFlags(_) => "F_GETFL",
            Fcntl::SetFlags { nonblock: true, .. } => "O_NONBLOCK",
            Fcntl::SetFlags { .. } => "F_SETFL",
            Fcntl::SetOwner(_) => "F_SETOWN",
            Fcntl::Lock | Fcntl::Unlock => "F_SETLKW",
            Fcntl::Other(command) => command,
        }
    }
}

impl Told for Sockopt {
    fn read(name: &str, event: &Event) -> Option<Sockopt> {
        let args = Args::of(event);
        Some(match name {
            // {imr_multiaddr=inet_addr("239.0.0.1"), …}
            "setsockopt" if args.has("MEMBERSHIP, {") => {
                let mut quoted = args.quoted().map(str::to_owned);
                Sockopt::Membership {
                    option: option_name(args),
                    joins: args.has("_ADD_"),
                    group: quoted.next().unwrap_or_default(),
                    device: quoted.next(),
                }
            }
            "setsockopt" => Sockopt::Setsockopt(option_name(args)),
            "getsockopt" => Sockopt::Getsockopt(option_name(args)),
            "fcntl" => Sockopt::Fcntl(Fcntl::read(args, event)),
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Sockopt::Setsockopt(_) | Sockopt::Membership { .. } => "setsockopt",
            Sockopt::Getsockopt(_) => "getsockopt",
            Sockopt::Fcntl(_) => "fcntl",
        }
    }

    fn english(&self, event: &Event) -> String {
        let value = event.value.as_deref().unwrap_or_default();
        match self {
            Sockopt::Setsockopt(option) => option_set(option, value),
            Sockopt::Membership { joins, group, device, .. } => {
                let device = device.as_deref().unwrap_or("any device");
                match joins {
                    true => format!(
                        "it joins {group} at {device}: what is sent to the group arrives here, too"
                    ),
                    false => format!("it leaves {group} at {device}"),
                }
            }
            Sockopt::Getsockopt(option) if value.is_empty() => format!("{option} is empty"),
            Sockopt::Getsockopt(option) => format!("{option} is {value}"),
            Sockopt::Fcntl(fcntl) => fcntl.english(),
        }
    }

    fn failure(&self, errno: &str, _: &Event) -> Option<Failure> {
        match (self, errno) {
            (Sockopt::Fcntl(_), "EINTR") => {
                Some(Failure::Ordinary("a signal ended the wait (EINTR)".to_owned()))
            }
            _ => None,
        }
    }

    fn asked(&self, on: String, event: &Event) -> String {
        match self {
            Sockopt::Setsockopt(option) | Sockopt::Membership { option, .. } => {
                let value = event.value.as_deref().unwrap_or_default();
                format!("{on} {option} {value}").trim_end().to_owned()
            }
            Sockopt::Getsockopt(option) => format!("{on} {option}"),
            Sockopt::Fcntl(fcntl) => format!("{on} {}", fcntl.short()),
        }
    }

    fn answered(&self, event: &Event) -> String {
        match self {
            Sockopt::Getsockopt(_) => event.value.clone().unwrap_or_default(),
            Sockopt::Setsockopt(_) | Sockopt::Membership { .. } | Sockopt::Fcntl(_) => {
                number(event.ret)
            }
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Sockopt::Fcntl(_)) // a lock may be another's
    }
}

fn option_set(name: &str, value: &str) -> String {
    match (name, value) {
        ("SO_REUSEADDR", "1") => {
            "SO_REUSEADDR on: after a restart the port can be had again at once".to_owned()
        }
        ("SO_REUSEADDR", "1, of a datagram socket") => {
            "SO_REUSEADDR on: other datagram sockets that set it can share the port".to_owned()
        }
        ("SO_RCVTIMEO", "no limit") => {
            "SO_RCVTIMEO off: a receive waits as long as it takes".to_owned()
        }
        ("SO_RCVTIMEO", _) => format!("SO_RCVTIMEO: a receive waits no longer than {value}"),
        ("SO_SNDTIMEO", _) => {
            format!("SO_SNDTIMEO: a send or connect waits no longer than {value}")
        }
        ("IP_RECVTTL" | "IPV6_RECVHOPLIMIT", "1") => {
            format!("{name} on: each packet comes with the routers that it could still have passed")
        }
        ("IP_RECVERR" | "IPV6_RECVERR", "1") => {
            format!("{name} on: what becomes of a packet on its way is kept in an error queue")
        }
        ("SO_BROADCAST", "1") => "SO_BROADCAST on: it may send to everybody".to_owned(),
        ("IPV6_V6ONLY", "0") => {
            "IPV6_V6ONLY off: IPv4 clients come, too, as ::ffff: and their address".to_owned()
        }
        ("IPV6_V6ONLY", "1") => {
            "IPV6_V6ONLY on: IPv6 only; another socket can have the port for IPv4".to_owned()
        }
        ("IP_MULTICAST_IF", device) => {
            format!("IP_MULTICAST_IF: multicast leaves by the device that has {device}")
        }
        ("IPV6_MULTICAST_IF", device) => {
            format!("IPV6_MULTICAST_IF: multicast leaves by device {device}")
        }
        ("IP_MULTICAST_TTL" | "IPV6_MULTICAST_HOPS", hops) => match hops {
            "0" => format!("{name}: multicast stays in this machine"),
            "1" => format!("{name}: multicast stays in the local network, no router passes it on"),
            _ => format!("{name} is asked to be {hops}: each router takes one off"),
        },
        ("IP_MULTICAST_LOOP" | "IPV6_MULTICAST_LOOP", "0") => {
            format!("{name} off: this machine is not to hear the multicast that it sends")
        }
        ("SO_LINGER", "0 s") => {
            "SO_LINGER on with no time: close will send a reset instead of a FIN".to_owned()
        }
        _ => format!("{name} is asked to be {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::record::Call;

    #[test]
    fn an_option_is_told_by_its_value() {
        let set = |args: &str, value: &str| {
            let (call, syscall) = (Some("setsockopt".into()), Some("setsockopt".into()));
            let (args, value) = (Some(args.into()), Some(value.into()));
            let mut event = Event { call, syscall, args, value, ret: Some(0), ..Event::default() };
            event.what = Call::read(&event);
            event.sentence(Lang::En)
        };
        let timeout = set("3, SOL_SOCKET, SO_RCVTIMEO_OLD, \"...\", 16", "1.5 s");
        assert_eq!(timeout, "SO_RCVTIMEO: a receive waits no longer than 1.5 s");
        let reuse = "3, SOL_SOCKET, SO_REUSEADDR, [1], 4";
        assert!(!set(reuse, "1").contains("datagram"), "{}", set(reuse, "1"));
        assert!(set(reuse, "1, of a datagram socket").ends_with("can share the port"));
        let linger = set("3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8", "0 s");
        assert!(linger.contains("reset instead of a FIN"), "{linger}");
        let other = set("3, SOL_SOCKET, SO_KEEPALIVE, [1], 4", "1");
        assert_eq!(other, "SO_KEEPALIVE is asked to be 1");
    }
}
