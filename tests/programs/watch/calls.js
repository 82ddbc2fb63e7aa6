// A server and one client in one process: libuv waits with epoll.
const net = require('net');

const server = net.createServer((socket) => {
    socket.on('data', (data) => socket.write(data));
    socket.on('end', () => socket.end());
});
server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1', () => client.write('one'));
    let answers = 0;
    client.on('data', (data) => {
        console.log(data.toString());
        if (++answers < 3) client.write(`more ${answers}`);
        else client.end();
    });
    client.on('close', () => server.close());
});
