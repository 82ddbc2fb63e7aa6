# A server and its clients: fork, select, and a socket as standard input of another program.
use strict;
use warnings;
use Socket;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5, ReuseAddr => 1) or die;
my $port = $listener->sockport;
my $child = fork;
if ($child == 0) {
    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die;
    $client->autoflush(1);
    print $client "a line\n";
    my $answer = <$client>;
    close $client;
    exit 2;
}
my $connection = $listener->accept or die;
my $line = <$connection>;
syswrite $connection, uc $line;
$line = <$connection>;
close $connection;
waitpid $child, 0;
print $? >> 8, "\n";

socketpair(my $one, my $other, AF_UNIX, SOCK_DGRAM, PF_UNSPEC) or die;
send $one, "datagram", 0;
my $ready = '';
vec($ready, fileno $other, 1) = 1;
select $ready, undef, undef, 10;
recv $other, my $text, 100, 0;
print "$text\n";
print `echo from a shell`;
