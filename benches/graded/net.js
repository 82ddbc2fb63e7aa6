// An echo server with Node's net, for docs/servers-graded.md: node net.js HOST PORT
// allowHalfOpen: without it, Node ends a connection as soon as its client sends no more.
const net = require("node:net");
const [host, port] = process.argv.slice(2);

net
  .createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => client.destroy());
    client.pipe(client);
  })
  .listen(Number(port), host);
