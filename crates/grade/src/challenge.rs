//! The tests as a course: in which order a learner takes them, what each asks, and two hints.
//!
//! A question describes what the tester does and lets the reader find the mistake. The first hint says where to look, the
//! second what to do.

use super::catalogue::Test;

/// A sentence in English and in Chinese.
type Words = (&'static str, &'static str);

/// What a test asks of a learner.
#[derive(Debug)]
pub struct Challenge {
    /// The name of the test.
    pub id: &'static str,
    /// What to think about.
    pub question: Words,
    /// Where to look, then what to do.
    pub hints: [Words; 2],
}

impl Test {
    /// What it asks of a learner.
    #[must_use]
    pub fn challenge(&self) -> &'static Challenge {
        let own = CHALLENGES.iter().find(|challenge| challenge.id == self.id);
        own.expect("every test has a challenge: a unit test says so")
    }
}

macro_rules! challenges {
    ($($id:literal $question:literal $question_zh:literal $first:literal $first_zh:literal $second:literal $second_zh:literal;)+) => {
        /// Every test, in the order in which a learner takes them: what is asked first makes what follows possible.
        pub static CHALLENGES: &[Challenge] = &[$(Challenge {
            id: $id,
            question: ($question, $question_zh),
            hints: [($first, $first_zh), ($second, $second_zh)],
        },)+];
    };
}

challenges! {
    "starts/listens"
        "A client wants to reach the program at its port. Which calls must the program have made before that can work?"
        "客户端要通过端口到达这个程序。在此之前，程序必须完成哪些调用？"
        "Look at the port that reaches bind. A port in a struct sockaddr_in is in network byte order, and an error of bind or listen must not be passed over."
        "看看传给 bind 的端口。struct sockaddr_in 里的端口是网络字节序，bind 或 listen 的错误也不能忽略。"
        "Take the port from the argument or from the variable PORT, give it to bind through htons, then listen; for datagrams bind is enough. netplay watch shows the address that bind got."
        "从参数或环境变量 PORT 取得端口，经过 htons 交给 bind，然后 listen；数据报只需要 bind。netplay watch 会显示 bind 得到的地址。";
    "bytes/one"
        "One client sends one request and waits. What does it wait for, and does the program send it?"
        "一个客户端发送一个请求，然后等待。它在等什么？程序发送了吗？"
        "Follow one request through the program: accept, recv, send. Which of them is missing, or has other bytes than you expect?"
        "跟着一个请求走一遍程序：accept、recv、send。缺了哪一个，或者哪一个的字节和你想的不同？"
        "Send back what the protocol asks for, exactly as many bytes as recv has returned; a buffer that is written (fwrite, print) also has to be flushed."
        "按协议的要求发送回答，字节数正好是 recv 返回的那么多；如果写入的是缓冲区（fwrite、print），还要刷新它。";
    "bytes/binary"
        "A request has a NUL byte and bytes above 127 in it. Does every byte come back?"
        "请求里有 NUL 字节，也有大于 127 的字节。每个字节都会回来吗？"
        "Where does the program take bytes for text? strlen stops at a NUL, and a decoder replaces what is no UTF-8."
        "程序在哪里把字节当成了文本？strlen 在 NUL 处停下，解码器会替换不是 UTF-8 的字节。"
        "Count with what recv returned, never with strlen, and keep the data as bytes from recv to send."
        "用 recv 返回的数目计数，不要用 strlen；从 recv 到 send 一直把数据当作字节。";
    "ends/quietly"
        "A client connects, says nothing and closes. What does the program receive, and what does it do next?"
        "客户端连接后一言不发就关闭。程序接收到什么，接下来做什么？"
        "recv returns 0 at the end of the stream, here at once. Is there code that needs at least one byte?"
        "recv 在数据流结束时返回 0，这里立刻就是。有没有代码要求至少有一个字节？"
        "Take 0 for the end of this client alone: close its socket, and go on with the next accept."
        "把 0 当作这一个客户端的结束：关闭它的套接字，继续下一次 accept。";
    "ends/half-close"
        "A client sends its last request and then ends its own direction with shutdown(SHUT_WR). What does it still expect from the program, and when does it know that everything has come?"
        "客户端发送最后一个请求，然后用 shutdown(SHUT_WR) 结束自己的方向。它还期待什么？它怎么知道一切都到了？"
        "The end of what the client sends is not the end of what it receives. Look at what the program does when recv returns 0: are there answers that it still owes?"
        "客户端发送的结束并不是它接收的结束。看看 recv 返回 0 时程序做什么：还有没有欠着的回答？"
        "When recv returns 0, send what is still owed, and then close the socket, in every process and thread that has it. A loop that calls recv again without an end would spin."
        "recv 返回 0 时，先把欠着的发完，再关闭套接字；每个持有它的进程和线程都要关闭。不断再调用 recv 的循环会空转。";
    "bytes/slowly"
        "The bytes of one request come one by one. How does the program know that the request is complete?"
        "一个请求的字节一个一个地到来。程序怎么知道请求已经完整？"
        "TCP carries a stream of bytes, and one send of the peer is not one recv of yours. What ends a request in this protocol: a length, or a mark?"
        "TCP 传送的是字节流，对端的一次 send 不等于你的一次 recv。这个协议里请求以什么结束：长度，还是标记？"
        "Gather what recv returns in a buffer of this client, and answer only when the buffer holds a whole request."
        "把 recv 返回的内容收集到这个客户端的缓冲区里，缓冲区里有完整的请求时才回答。";
    "bytes/cut"
        "A request comes in two parts, cut anywhere, even within its end mark. What becomes of the first part while the second is on its way?"
        "请求分成两部分到来，可能在任何位置断开，甚至在结束标记中间。第二部分还在路上时，第一部分怎么办？"
        "Does the program answer the first part, or forget it when it calls recv again?"
        "程序是不是回答了第一部分，或者在再次调用 recv 时把它忘了？"
        "Keep the unfinished request in the client's buffer, append what comes, and look for the end in all of it, not in the new part alone."
        "把没有完成的请求留在客户端的缓冲区里，追加新到的内容，在全部内容里找结束位置，而不只在新的部分里找。";
    "bytes/together"
        "Two requests arrive together, in one recv. How many answers does the client get?"
        "两个请求一起到来，在同一次 recv 里。客户端得到几个回答？"
        "After the first request is answered, look at what is left in the buffer. Is it thrown away, or does it wait for a recv that finds nothing?"
        "回答第一个请求之后，看看缓冲区里还剩什么。它被丢掉了，还是在等一次什么也收不到的 recv？"
        "Take requests out of the buffer in a loop until none is whole, and only then call recv again."
        "循环地从缓冲区里取出请求，直到没有完整的为止，然后才再次调用 recv。";
    "bytes/large"
        "A client sends more than the buffers of both ends hold, and begins to read only later. Where are the answers meanwhile, and is each of them sent whole?"
        "客户端发送的内容超过两端的缓冲区，而且过一会儿才开始读取。这期间回答在哪里？每个回答都完整发出了吗？"
        "Look at what send returns: it may be less than you asked for, and a non-blocking send may return EAGAIN."
        "看看 send 的返回值：它可能小于你要求的数目，非阻塞的 send 还可能返回 EAGAIN。"
        "Call send again with the rest until all of it is taken; with non-blocking sockets keep the rest, and ask for POLLOUT until it is gone."
        "用剩下的部分再次调用 send，直到全部被取走；使用非阻塞套接字时保留剩下的部分，关注 POLLOUT，直到发完。";
    "kernel/short-recv"
        "The kernel may return fewer bytes from recv than have come. What in the program depends on getting all of them at once?"
        "内核的 recv 返回的字节可能少于已经到来的字节。程序里什么依赖于一次得到全部？"
        "Find each recv whose result is used as a whole request, or as a field of fixed size."
        "找出每一个把结果当作完整请求或者固定大小字段的 recv。"
        "Call recv in a loop until the request is complete, and keep what comes behind it for the next one."
        "循环调用 recv，直到请求完整，并把后面多出来的内容留给下一个请求。";
    "kernel/short-send"
        "The kernel may take only a part of what is given to send. What becomes of the rest?"
        "交给 send 的数据，内核可能只取走一部分。剩下的怎么办？"
        "Is the result of send used at all? It says how many bytes were taken."
        "send 的返回值用上了吗？它说明取走了多少字节。"
        "Send in a loop: move the start on by what send returned, until nothing is left (Python has sendall, Java's streams do it)."
        "循环发送：按 send 的返回值向后移动起点，直到没有剩余（Python 有 sendall，Java 的流会这样做）。";
    "ends/middle"
        "A client leaves in the middle of a request. What is to become of the half that has come, and of the next client?"
        "客户端在请求中途离开。已经到来的一半怎么办？下一个客户端怎么办？"
        "recv returns 0 while the program still wants more bytes. Does its loop end there?"
        "程序还想要更多字节时，recv 返回了 0。它的循环会在这里结束吗？"
        "Every loop that waits for more must also end when recv returns 0; close the socket and throw the half request away."
        "每个等待更多内容的循环，在 recv 返回 0 时也必须结束；关闭套接字，丢弃那半个请求。";
    "ends/reset"
        "A client ends with a reset instead of a close. Which call of the program notices that, and what comes next?"
        "客户端以重置而不是关闭来结束。程序的哪个调用会察觉？接下来发生什么？"
        "recv or send fails with ECONNRESET. Does this error, or an exception that stands for it, end more than one client?"
        "recv 或 send 以 ECONNRESET 失败。这个错误，或者代表它的异常，是不是结束了不止一个客户端？"
        "Handle the error where the client is served: close this socket, and serve the others as before."
        "在服务这个客户端的地方处理错误：关闭这个套接字，照常服务其他客户端。";
    "ends/before-reply"
        "A client sends requests, ends its side and is gone, by a reset, before the first answer. What happens when the program sends it?"
        "客户端发送几个请求，结束自己一侧，并在第一个回答之前以重置离开。程序发送这个回答时会发生什么？"
        "What had arrived can still be read, but the connection is gone: send fails with EPIPE, and by default the signal SIGPIPE ends the whole process."
        "已经到达的数据仍可读取，但连接已经不在：send 以 EPIPE 失败，而默认情况下信号 SIGPIPE 会结束整个进程。"
        "Send with MSG_NOSIGNAL or ignore SIGPIPE, and take EPIPE and ECONNRESET for the end of this client alone."
        "发送时使用 MSG_NOSIGNAL，或者忽略 SIGPIPE，并把 EPIPE 和 ECONNRESET 只当作这一个客户端的结束。";
    "starts/address"
        "The program was told an address. At which addresses of this host can it be reached now?"
        "程序得到了一个地址。现在可以通过本机的哪些地址到达它？"
        "Look at the address that bind gets: INADDR_ANY, an empty host, 0.0.0.0 and :: mean every address."
        "看看 bind 得到的地址：INADDR_ANY、空主机名、0.0.0.0 和 :: 表示所有地址。"
        "Give bind the address that was typed (inet_pton, getaddrinfo), so that other hosts reach it only if the user wants that."
        "把输入的地址（inet_pton、getaddrinfo）交给 bind，只有用户愿意时，其他主机才能到达它。";
    "starts/restarts"
        "The program ends while connections are in TIME_WAIT, and is started again. What does bind say?"
        "有连接处于 TIME_WAIT 时程序结束，又重新启动。bind 会怎么说？"
        "The end that closes first keeps the port in TIME_WAIT for a minute. Which option lets bind use it nevertheless?"
        "先关闭的一端让端口在 TIME_WAIT 中停留一分钟。哪个选项让 bind 仍然可以使用它？"
        "Set SO_REUSEADDR on the listening socket, between socket and bind."
        "在 socket 和 bind 之间给监听套接字设置 SO_REUSEADDR。";
    "starts/stops"
        "The program gets SIGTERM. How long does it live on, and what of it is left?"
        "程序收到 SIGTERM。它还会活多久？留下了什么？"
        "Is the signal ignored, or does its handler only set a flag that a waiting call never looks at? Do children live on?"
        "信号被忽略了吗？还是处理函数只设置了一个标志，而正在等待的调用从不查看？子进程还活着吗？"
        "Leave SIGTERM its default action, or let it end the wait of the main loop; end children and wait for them before you exit."
        "让 SIGTERM 保持默认动作，或者让它结束主循环的等待；退出之前结束子进程，并等待它们。";
    "many/silent"
        "One client connects and says nothing. When does the next one get its answer?"
        "一个客户端连接后不说话。下一个客户端什么时候得到回答？"
        "In which call does the program wait, and for which client? While it waits there, it accepts no other."
        "程序在哪个调用里等待，等的是哪个客户端？它等在那里时，不会接受别的客户端。"
        "Give each client a thread or a process, or wait for all of them with select, poll or epoll and call recv only on a socket that is ready."
        "给每个客户端一个线程或进程，或者用 select、poll、epoll 等待所有客户端，只在就绪的套接字上调用 recv。";
    "many/slow-reader"
        "One client sends and never reads. Its answers fill the send buffer. What do the others notice?"
        "一个客户端只发送、从不读取。它的回答填满了发送缓冲区。其他客户端会察觉什么？"
        "A blocking send waits when the buffer is full. Which other clients does the same thread serve?"
        "缓冲区满时，阻塞的 send 会等待。同一个线程还服务哪些客户端？"
        "In a loop for many clients make the sockets non-blocking, keep the unsent bytes of each, ask for POLLOUT, and do not read on from a client that owes you a reader."
        "在服务多个客户端的循环里，把套接字设为非阻塞，为每个客户端保留待发送的数据，关注 POLLOUT；客户端不读取时，也不再从它那里接收。";
    "many/hundred"
        "A hundred clients are there at once, and each wants its answer now. Which of them are kept waiting, and by what?"
        "一百个客户端同时在场，每个都要立刻得到回答。谁在等待，等的是什么？"
        "Is there a limit in the program: a pool of so many threads, an array of so many clients, a small backlog?"
        "程序里有没有限制：固定数目的线程池、固定大小的客户端数组、很小的 backlog？"
        "Serve clients side by side, let the number of them grow, and give listen a backlog of at least 128."
        "并行地服务客户端，让数目可以增长，给 listen 的 backlog 至少 128。";
    "many/idle"
        "No client speaks. What does the program do meanwhile, and how much processor does it use?"
        "没有客户端说话。这时程序在做什么，用了多少处理器？"
        "Look for a loop that asks again and again: a non-blocking accept or recv that gets EAGAIN, a wait with a time limit of 0, or POLLOUT asked for without a need."
        "找一个反复查询的循环：得到 EAGAIN 的非阻塞 accept 或 recv、时限为 0 的等待，或者不必要地关注 POLLOUT。"
        "Let the kernel wait: a blocking call, or poll and epoll_wait with a limit of -1, and POLLOUT only while bytes are unsent."
        "让内核来等待：使用阻塞调用，或者时限为 -1 的 poll、epoll_wait；只在有待发送的数据时关注 POLLOUT。";
    "many/leak"
        "A thousand clients come and go. What is left of them in the program?"
        "一千个客户端来了又走。程序里留下了它们的什么？"
        "Count descriptors, threads and children before and after: ls /proc/PID/fd, and ps for zombies. Which path leaves a client without close, join or wait?"
        "前后各数一次描述符、线程和子进程：ls /proc/PID/fd，用 ps 看僵尸进程。哪条路径在离开客户端时没有 close、join 或 wait？"
        "Close the socket on every path, also after an error; after fork close it in the parent as well, and collect children with waitpid."
        "在每条路径上关闭套接字，出错之后也一样；fork 之后在父进程里也要关闭，并用 waitpid 回收子进程。";
    "many/descriptors"
        "The process has no descriptor left, and another client waits in the queue. What does accept return, and what does the program do then?"
        "进程的描述符用完了，队列里还有一个客户端在等。accept 返回什么？程序接下来做什么？"
        "accept fails with EMFILE and leaves the client in the queue, so the listening socket stays ready. Does the program end, or spin?"
        "accept 以 EMFILE 失败，客户端留在队列里，所以监听套接字一直就绪。程序是结束了，还是在空转？"
        "Go on serving, and pause accept: sleep for a moment, or leave the listening socket out of the wait until a client has gone."
        "继续服务，暂停 accept：睡眠片刻，或者在有客户端离开之前不等待监听套接字。";
    "many/fd-1024"
        "There are more than 1,024 clients. Does the program use anything that numbers of descriptors above 1,023 do not fit into?"
        "客户端超过 1,024 个。程序有没有使用容不下 1,023 以上描述符编号的东西？"
        "An fd_set has room for 1,024 descriptors: FD_SET of a larger one writes beyond it. What about arrays with the descriptor as index?"
        "fd_set 只能容纳 1,024 个描述符：对更大的描述符使用 FD_SET 会写到它的外面。以描述符为下标的数组呢？"
        "Use poll or epoll, or turn away clients whose descriptor is too large, with close, and live on."
        "使用 poll 或 epoll，或者用 close 拒绝描述符过大的客户端，并继续运行。";
    "kernel/eintr"
        "A signal comes while the program waits in a call. What does the call return?"
        "程序在一个调用里等待时来了一个信号。这个调用返回什么？"
        "It fails with EINTR, although nothing is wrong. Which call of the program takes that for an error or an end?"
        "它以 EINTR 失败，虽然并没有出错。程序的哪个调用把这当成了错误或结束？"
        "Make the call again when errno is EINTR, in one loop for each call that waits."
        "errno 是 EINTR 时重新调用；对每个会等待的调用都这样循环。";
    "kernel/aborted"
        "A client connects and is gone before accept can return it. What may accept say, and does the server live on?"
        "客户端连接后，在 accept 返回它之前就走了。accept 可能返回什么？服务器还活着吗？"
        "accept may fail with ECONNABORTED. Does the program treat every error of accept as the end?"
        "accept 可能以 ECONNABORTED 失败。程序是不是把 accept 的每个错误都当作结束？"
        "Go on with the next accept after ECONNABORTED, EINTR and errors of the network (accept(2), error handling)."
        "遇到 ECONNABORTED、EINTR 和网络错误后继续下一次 accept（见 accept(2) 的错误处理一节）。";
    "udp/empty"
        "A datagram of 0 bytes arrives. What does recvfrom return, and what does the program take it for?"
        "来了一个 0 字节的数据报。recvfrom 返回什么？程序把它当成了什么？"
        "With datagrams 0 is a length like others; there is no end of a stream."
        "对数据报来说，0 是和其他长度一样的长度；没有数据流的结束。"
        "Answer it with an empty datagram, or pass it over, and receive on."
        "用一个空数据报回答，或者忽略它，然后继续接收。";
    "udp/two-peers"
        "Two peers send in turn. How does the program know where each answer belongs?"
        "两个对端轮流发送。程序怎么知道每个回答该发给谁？"
        "recvfrom gives the address of the sender with each datagram. Is it used for this answer, or kept from an earlier one?"
        "recvfrom 随每个数据报给出发送者的地址。它用于这个回答，还是用了以前保存的地址？"
        "Give sendto the address from the very recvfrom that is answered, and set its length before each call."
        "把正在回答的那次 recvfrom 的地址交给 sendto，并在每次调用之前设置地址长度。";
    "udp/large"
        "A datagram may have up to 65,507 bytes. What happens to one that is longer than the program's buffer?"
        "数据报最长 65,507 字节。比程序的缓冲区长的数据报会怎样？"
        "recvfrom fills the buffer and throws the rest away: the next call returns the next datagram."
        "recvfrom 填满缓冲区，丢弃其余部分：下一次调用返回的是下一个数据报。"
        "Use a buffer of at least 65,507 bytes, and send back as many as recvfrom has returned."
        "缓冲区至少 65,507 字节，按 recvfrom 返回的字节数发回。";
    "udp/burst"
        "Many datagrams come at once. Where do they wait, and is each of them received?"
        "许多数据报一起到来。它们在哪里等待？每个都被接收了吗？"
        "They wait in the receive queue of the socket. What is thrown away: what does not fit there, or what the program takes out and does not answer?"
        "它们在套接字的接收队列里等待。被丢掉的是什么：队列放不下的，还是程序取出来却没有回答的？"
        "Receive and answer one after the other without a pause, and do long work elsewhere; SO_RCVBUF makes the queue longer."
        "不停顿地逐个接收并回答，把费时的工作放到别处；SO_RCVBUF 可以加长队列。";
    "udp/unreachable"
        "The program answers a peer whose socket is gone, and an ICMP error comes back. Which call learns of it?"
        "程序回答一个套接字已经不在的对端，一个 ICMP 错误回来了。哪个调用会得知？"
        "A connected datagram socket gets ECONNREFUSED from the next send or recv. Does that end the program?"
        "已连接的数据报套接字会从下一次 send 或 recv 得到 ECONNREFUSED。程序因此结束了吗？"
        "Pass the error over and receive on, or do not connect the socket of a server."
        "忽略这个错误并继续接收，或者不要对服务器的套接字调用 connect。";
    "client/short-recv"
        "The answer comes in two parts. When does the client know that it has all of it?"
        "回答分两部分到来。客户端怎么知道已经收全？"
        "One recv is not one answer. What ends an answer in this protocol: its length, a mark, or the end of the stream?"
        "一次 recv 不等于一个回答。这个协议里回答以什么结束：长度、标记，还是数据流的结束？"
        "Call recv in a loop until the answer is complete."
        "循环调用 recv，直到回答完整。";
    "client/merged"
        "Several answers come together. Does the client see each of them?"
        "几个回答一起到来。客户端能看到每一个吗？"
        "After the first answer, look at what is left in the buffer: the next recv will not bring it again."
        "处理第一个回答之后，看看缓冲区里还剩什么：下一次 recv 不会再带来它。"
        "Take whole answers out of the buffer in a loop, and call recv only when none is left."
        "循环地从缓冲区里取出完整的回答，没有了才调用 recv。";
    "client/slow-server"
        "The answer comes late. What does the client do until then?"
        "回答来得晚。在此之前客户端做什么？"
        "Is there a time limit that is too short, a non-blocking recv whose EAGAIN is taken for the end, or a loop that asks without a pause?"
        "有没有过短的时限、把 EAGAIN 当成结束的非阻塞 recv，或者不停顿的查询循环？"
        "Wait in recv or poll for at least some seconds, and take EAGAIN for what it says: not yet."
        "在 recv 或 poll 里至少等几秒，把 EAGAIN 理解为它的本意：还没有。";
    "client/half-close"
        "The server ends within an answer. What does recv return, and how does the client tell that the answer is not whole?"
        "服务器在回答中途结束。recv 返回什么？客户端怎么知道回答不完整？"
        "recv returns 0, and returns it at each further call. Does the client wait on, or take the half for the whole?"
        "recv 返回 0，之后每次调用都返回 0。客户端是继续等，还是把一半当成了全部？"
        "End when recv returns 0; if the answer is not complete, say so and exit with a status that is not 0."
        "recv 返回 0 时结束；如果回答不完整，就说出来，并以非 0 状态退出。";
    "client/reset"
        "The server resets the connection. How does the client end?"
        "服务器重置了连接。客户端怎样结束？"
        "recv or send fails with ECONNRESET, or SIGPIPE ends the process without a word."
        "recv 或 send 以 ECONNRESET 失败，或者 SIGPIPE 不声不响地结束了进程。"
        "Check the result of each call; say what failed, and exit with a status that is not 0."
        "检查每个调用的结果；说出什么失败了，并以非 0 状态退出。";
    "client/refused"
        "There is no server at the port. What does connect say, and what does the user read?"
        "端口上没有服务器。connect 返回什么？用户看到什么？"
        "connect fails with ECONNREFUSED. Is the error looked at, and do retries have an end?"
        "connect 以 ECONNREFUSED 失败。查看这个错误了吗？重试有没有尽头？"
        "Say the error and the address, and exit with a status that is not 0; retry a few times at most."
        "说出错误和地址，以非 0 状态退出；最多重试几次。";
    "client/never-answers"
        "The server takes the request and never answers. How long does the client wait?"
        "服务器收下请求，却从不回答。客户端等多久？"
        "A blocking recv waits for ever. What could end the wait?"
        "阻塞的 recv 会永远等下去。什么可以结束等待？"
        "Set SO_RCVTIMEO, or wait with poll and a limit of a few seconds; then say so and exit with a status that is not 0."
        "设置 SO_RCVTIMEO，或者用带几秒时限的 poll 等待；然后说明情况，以非 0 状态退出。";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CHALLENGES;
    use crate::catalogue::TESTS;

    #[test]
    fn every_test_has_a_question_and_two_hints() {
        let names = |all: Vec<&'static str>| {
            let distinct: BTreeSet<&str> = all.iter().copied().collect();
            assert_eq!(distinct.len(), all.len(), "one of them is there twice");
            distinct
        };
        let challenges = names(CHALLENGES.iter().map(|challenge| challenge.id).collect());
        assert_eq!(challenges, names(TESTS.iter().map(|test| test.id).collect()));
        for challenge in CHALLENGES {
            let (en, zh) = challenge.question;
            assert!(en.ends_with('?') && zh.ends_with('？'), "{}", challenge.id);
            let words: BTreeSet<&str> =
                challenge.hints.iter().flat_map(|&(en, zh)| [en, zh]).collect();
            assert_eq!(words.len(), 4, "{}", challenge.id);
        }
    }
}
