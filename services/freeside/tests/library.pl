#!/usr/bin/perl
# Serves the fixtures through an unmodified XMLRPC::Lite: a call is read by the library and looked up among the recorded
# calls as it reads those, the recorded reply is read by it and written anew, with one of the tables of types that
# Freeside has given it.
# Needs Debian's libxmlrpc-lite-perl.

use strict;
use warnings;
use JSON::PP;
use XMLRPC::Lite;
use XMLRPC::Transport::HTTP;

my ($folder, $types) = @ARGV;
die "usage: $0 FIXTURES TYPES\n" unless defined $types;
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

# The library reads an empty value, which it writes for undef, as an empty text; so undef goes round it as a word.
my $undef = '(undef)';

sub restored {
    my $value = shift;
    return { map { $_ => restored($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return [ map { restored($_) } @$value ] if ref $value eq 'ARRAY';
    defined $value && $value eq $undef ? undef : $value;
}

sub key {
    my ($method, $given) = @_;
    my %rest = %$given;
    delete @rest{qw(session_id agent_session_id)};
    "$method " . $json->encode(\%rest);
}

opendir my $dir, $folder or die "$folder: $!";
for my $case (sort grep { /^\w+\.http$/ } readdir $dir) {
    my ($sent, $received) = bodies("$folder/$case");
    next unless defined $received;
    my $call = XMLRPC::Deserializer->deserialize($sent);
    my $method = $call->method =~ s/.*\.//r;
    my ($given) = $call->paramsin;
    $received =~ s{<value />}{<value><string>$undef</string></value>}g;
    $recorded{ key($method, $given) } = restored(XMLRPC::Deserializer->deserialize($received)->result);
}

package FS::SelfService::XMLRPC;
our $AUTOLOAD;
sub DESTROY { }
sub AUTOLOAD {
    my ($class, $given) = @_;
    my $method = $AUTOLOAD =~ s/.*:://r;
    my $key = main::key($method, $given);
    die "no fixture for $key" unless exists $recorded{$key};
    $recorded{$key};
}

package main;

$| = 1;
# The class is in this file; nothing needs to be looked for.
$INC{'FS/SelfService/XMLRPC.pm'} = 1;
# What Freeside gave its serialiser: texts and dates since 2011, base64 beyond ASCII before that and on the stand-alone
# daemon still, and nothing, so that the library guesses.
my %text = (
    dateTime => [ 35, sub { $_[0] =~ /^\d{8}T\d\d:\d\d:\d\d$/ }, 'as_dateTime' ],
    string   => [ 40, sub { 1 }, 'as_string' ],
);
my %tables = (
    text   => \%text,
    base64 => { %text, base64 => [ 10, sub { $_[0] =~ /[^\x09\x0a\x0d\x20-\x7f]/ }, 'as_base64' ] },
    guess  => undef,
);
die "no table $types\n" unless exists $tables{$types};
my $serializer = XMLRPC::Serializer->new;
$serializer->typelookup($tables{$types}) if $tables{$types};
my $daemon = XMLRPC::Transport::HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1)
    ->dispatch_to('FS::SelfService::XMLRPC')
    ->serializer($serializer);
print 'listening on ', $daemon->sockport, "\n";
$daemon->handle;
