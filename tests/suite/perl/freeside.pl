#!/usr/bin/perl
# Freeside's reseller methods on an unmodified XMLRPC::Lite daemon, with one of the type tables
# that Freeside has given it.
# Written from Freeside's documented behaviour: names, keys and error texts are its own, the data is invented.
# Two doors: FS.SelfService.XMLRPC takes a struct or a flat list, FS.ClientAPI_XMLRPC a flat list only and decodes
# every value a second time.

use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Encode qw(decode);
use XMLRPC::Transport::HTTP;

package Office;

my ($USERNAME, $PASSWORD) = map { Encode::decode('UTF-8', $ENV{$_}) } qw(PEER_USERNAME PEER_PASSWORD);

our %CUSTOMERS = (
    23 => { first => 'John', last => 'Smith', company => '', daytime => '415-555-1212', signupdate => '1288745000' },
    24 => { first => "Zo\x{eb}", last => 'Beast', company => 'Tofu & Co', daytime => '0871234567', signupdate => '1288746000' },
);
our %PACKAGES = (5 => { custnum => 23, pkgpart => 1, status => 'active' }, 6 => { custnum => 24, pkgpart => 1, status => 'suspended' });
our %ACCOUNTS = (john => 5, zoe => 6);
our %COLORS = (active => '00CC00', suspended => 'FF9900', cancelled => 'FF0000', prospect => '7e0079');
my $types = $ENV{PEER_TYPES} // 'text';
our (%SESSIONS, $last);
$last = 1000;

sub session { my $given = shift; defined $given->{session_id} && $SESSIONS{ $given->{session_id} } }
sub agent_session { my $given = shift; defined $given->{agent_session_id} && $SESSIONS{ $given->{agent_session_id} } }
sub dead { { error => "Can't resume session" } }

sub status {
    my $custnum = shift;
    my %has = map { $_->{status} => 1 } grep { $_->{custnum} == $custnum } values %PACKAGES;
    (grep { $has{$_} } qw(active suspended cancelled))[0] || 'prospect';
}

sub name {
    my $customer = shift;
    my $name = "$customer->{last}, $customer->{first}";
    $customer->{company} ? "$customer->{company} ($name)" : $name;
}

sub agent_login {
    my $given = shift;
    return { error => 'Must specify your reseller username and password.' }
        unless length($given->{username} // '') && length($given->{password} // '');
    return { error => 'Incorrect password.' }
        unless $given->{username} eq $USERNAME && $given->{password} eq $PASSWORD;
    my $key = Digest::MD5::md5_hex(Digest::MD5::md5_hex(rand() . $$ . ++$last));
    $SESSIONS{$key} = 1;
    { error => '', session_id => $key };
}

sub agent_logout {
    my $given = shift;
    return dead() unless length($given->{session_id} // '');
    delete $SESSIONS{ $given->{session_id} };
    { error => '' };
}

sub agent_info {
    my $given = shift;
    return dead() unless session($given);
    my %count;
    $count{ status($_) }++ for keys %CUSTOMERS;
    {
        error => '', agentnum => 3, agent => 'Test Reseller',
        num_prospect => $count{prospect} || 0, num_active => $count{active} || 0,
        num_susp => $count{suspended} || 0, num_cancel => $count{cancelled} || 0,
    };
}

# Success has no error key.
sub agent_list_customers {
    my $given = shift;
    return dead() unless session($given);
    my %group = (active => 'active', suspended => 'susp', cancelled => 'cancel', prospect => 'prospect');
    my $search = lc($given->{search} // '');
    my @found = grep {
        (length $search && index(lc name($CUSTOMERS{$_}), $search) >= 0) || $given->{ $group{ status($_) } }
    } sort { $a <=> $b } keys %CUSTOMERS;
    { customers => [ map { row($_) } @found ] };
}

sub row {
    my $custnum = shift;
    my $status = status($custnum);
    my %row = %{ $CUSTOMERS{$custnum} };
    delete @row{qw(payinfo paycvv)};
    return { %row, custnum => $custnum, agentnum => 3, name => name(\%row), status => $status,
      status_label => ucfirst $status, statuscolor => $COLORS{$status} };
}

sub check_username {
    my $given = shift;
    return dead() unless session($given);
    { error => '', available => exists $ACCOUNTS{ $given->{username} // '' } ? 0 : 1 };
}

sub turn {
    my ($given, $status) = @_;
    return dead() unless session($given);
    my $pkgnum = ($given->{domain} // '') eq 'example.com' && $ACCOUNTS{ $given->{username} // '' };
    return { error => 'Account not found' } unless $pkgnum;
    $PACKAGES{$pkgnum}{status} = $status;
    { error => '' };
}

sub suspend_username { turn(shift, 'suspended') }
sub unsuspend_username { turn(shift, 'active') }

sub new_customer {
    my $given = shift;
    return dead() unless session($given);
    return { error => 'Please select a package' } unless ($given->{pkgpart} // '') =~ /^\d+$/;
    return { error => "Illegal (zip) zip for country $given->{country}: " } unless length($given->{zip} // '');
    return { error => 'Username in use' } if exists $ACCOUNTS{ $given->{username} // '' };
    die "DBD::Pg::st execute failed: value too long" if length($given->{comments} // '') > 200;
    my $custnum = ++$last;
    $CUSTOMERS{$custnum} = { map { $_ => $given->{$_} // '' } qw(first last company address1 city state zip country daytime) };
    $CUSTOMERS{$custnum}{signupdate} = time;
    my $pkgnum = ++$last;
    $PACKAGES{$pkgnum} = { custnum => $custnum, pkgpart => $given->{pkgpart}, status => 'active' };
    return { error => '', signup_service => 'none', custnum => $custnum } unless length($given->{username} // '');
    $ACCOUNTS{ $given->{username} } = $pkgnum;
    { error => '', signup_service => 'svc_acct', custnum => $custnum, svcnum => ++$last,
      username => $given->{username}, _password => $given->{_password} };
}

sub customer_info {
    my $given = shift;
    return dead() unless agent_session($given);
    my $customer = $CUSTOMERS{ $given->{custnum} // '' };
    return { error => 'customer_info: unknown custnum ' . ($given->{custnum} // '') } unless $customer;
    { error => '', custnum => $given->{custnum}, name => "$customer->{first} $customer->{last}",
      first => $customer->{first}, last => $customer->{last}, status => status($given->{custnum}),
      balance => '19.99', open_invoices => [ { invnum => 12, date => 'Nov 1st, 2010', owed => '19.99', charged => '19.99' } ] };
}

# Success has no error key.
sub list_pkgs {
    my $given = shift;
    return dead() unless agent_session($given);
    my $custnum = $given->{custnum} // '';
    return { error => "unknown custnum $custnum" } unless $CUSTOMERS{$custnum};
    my @own = grep { $PACKAGES{$_}{custnum} == $custnum } sort { $a <=> $b } keys %PACKAGES;
    { custnum => $custnum, cust_pkg => [ map { { pkgnum => $_, %{ $PACKAGES{$_} }, part_svc => [], cust_svc => [] } } @own ] };
}

sub order_pkg {
    my $given = shift;
    return dead() unless agent_session($given);
    my $custnum = $given->{custnum} // '';
    return { error => "unknown custnum $custnum" } unless $CUSTOMERS{$custnum};
    my $pkgnum = ++$last;
    $PACKAGES{$pkgnum} = { custnum => $custnum, pkgpart => $given->{pkgpart}, status => 'active' };
    { error => '', pkgnum => $pkgnum, svcnum => '' };
}

our %METHODS = map { $_ => Office->can($_) } qw(
    agent_login agent_logout agent_info agent_list_customers check_username suspend_username unsuspend_username
    new_customer customer_info list_pkgs order_pkg
);

sub call {
    my ($name, $given) = @_;
    $name =~ s/.*:://;
    my $method = $METHODS{$name} or die "No such procedure: $name";
    # What is done shows on the standard output, one line each.
    print "called $name\n";
    my $result = $method->($given);
    $types =~ /^(text|wide)$/ ? $result : bytes($result);
}

# The old table and the library's own want the bytes that a Perl of those days held.
sub bytes {
    my $value = shift;
    return { map { $_ => bytes($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return [ map { bytes($_) } @$value ] if ref $value eq 'ARRAY';
    defined $value ? Encode::encode('UTF-8', $value) : $value;
}

package FS::SelfService::XMLRPC;
our $AUTOLOAD;
sub DESTROY { }
sub AUTOLOAD {
    my $class = shift;
    Office::call($AUTOLOAD, ref($_[0]) ? shift : {@_});
}

package FS::ClientAPI_XMLRPC;
our $AUTOLOAD;
sub DESTROY { }
sub AUTOLOAD {
    my ($class, %given) = @_;
    $_ = Encode::decode(utf8 => $_) for grep { defined } values %given;
    Office::call($AUTOLOAD, \%given);
}

package main;

$| = 1;
# The classes are in this file; nothing needs to be looked for.
@INC{qw(FS/SelfService/XMLRPC.pm FS/ClientAPI_XMLRPC.pm)} = (1, 1);
binmode STDOUT, ':utf8';
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
# The same with a Perl that holds letters: what is above U+00FF the library cannot write, and dies after the work is done.
$tables{wide} = $tables{base64};
die "no table $types\n" unless exists $tables{$types};
my $serializer = XMLRPC::Serializer->new;
$serializer->typelookup($tables{$types}) if $tables{$types};
my $daemon = XMLRPC::Transport::HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1)
    ->dispatch_to('FS::SelfService::XMLRPC', 'FS::ClientAPI_XMLRPC')
    ->serializer($serializer);
print 'listening on ', $daemon->sockport, "\n";
$daemon->handle;
