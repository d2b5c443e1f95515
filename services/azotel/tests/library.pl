#!/usr/bin/perl
# Serves the fixtures through an unmodified SOAP::Lite, whatever its version: a call is read by the library and looked up
# among the recorded calls as it reads those, the recorded reply is read by it and written anew. Attributes come as one
# hash, be it an apache Map or a struct, or as a flat list.
# Needs Debian's libsoap-lite-perl.

use strict;
use warnings;
use Encode ();
use JSON::PP;
use SOAP::Lite;
use SOAP::Transport::HTTP;

my $folder = shift or die "usage: $0 FIXTURES\n";
my $json = JSON::PP->new->canonical->allow_nonref;
my %recorded;

# The bodies of a fixture's first exchange.
sub bodies {
    my $path = shift;
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    my $text = "\n" . <$file>;
    $text =~ s/\n\z//;
    my %sections = map { /\A([^\n]*)\n(.*)\z/s ? ($1 => $2) : () } split /\n=== /, $text;
    map { s/\A.*?\r?\n\r?\n//sr } grep { defined } @sections{qw(sent received)};
}

# Some versions read texts as characters and some as bytes.
sub characters {
    my $value = shift;
    return { map { characters($_) => characters($value->{$_}) } keys %$value } if ref $value && "$value" =~ /HASH\(/;
    return [ map { characters($_) } @$value ] if ref $value;
    return $value if !defined $value || utf8::is_utf8($value);
    my $bytes = $value;
    utf8::decode($bytes) ? $bytes : $value;
}

# The library reads an empty text as nothing where it has no type, and an absent result as such.
sub value {
    my $som = SOAP::Deserializer->deserialize(shift);
    my $result = $som->result;
    ref $result ? characters($result) : $result;
}

opendir my $dir, $folder or die "$folder: $!";
for my $case (sort grep { /^\w+\.http$/ } readdir $dir) {
    my ($sent, $received) = bodies("$folder/$case");
    next unless defined $received;
    my ($function) = $sent =~ /<soap:Body><(\w+) / or die "$case calls nothing";
    my ($given) = SOAP::Deserializer->deserialize($sent)->paramsall;
    $recorded{"$function " . $json->encode(characters($given))} = value($received);
    no strict 'refs';
    *{"OperatorAPI::$function"} = sub { answer($function, @_) } unless defined &{"OperatorAPI::$function"};
}

sub answer {
    my ($function, $class, @given) = @_;
    my $given = @given == 1 ? $given[0] : {@given};
    my $key = "$function " . $json->encode(characters($given));
    die "no fixture for $key" unless exists $recorded{$key};
    $recorded{$key};
}

$| = 1;
# The class is in this file; nothing needs to be looked for.
$INC{'OperatorAPI.pm'} = 1;
my $daemon = SOAP::Transport::HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1)
    ->dispatch_to('OperatorAPI');
my ($port) = $daemon->url =~ /:(\d+)/;
print "listening on $port\n";
$daemon->handle;
