#!/usr/bin/perl
# Twelve functions of Azotel's OperatorAPI on an unmodified SOAP::Lite daemon, with the results that are documented:
# "OK:12" and its like, and XML made by XML::Simple, which SOAP::Lite sends as base64 as soon as it is not plain ASCII.
# Written from the document; the data is invented.

use strict;
use warnings;
use Encode qw(decode encode);
use SOAP::Transport::HTTP;
use XML::Simple qw(XMLout);

package OperatorAPI;

my ($USERNAME, $PASSWORD) = map { Encode::decode('UTF-8', $ENV{$_}) } qw(PEER_USERNAME PEER_PASSWORD);

my $last = 100;
my %customers = (
    2 => { name => 'John Smith', nickname => 'JohnSmith', invoicingid => 'JS2', email => 'john@example.com',
           customerstatus => 'current', city => 'Cork', country => 'Ireland' },
);
my %tracking;
my @radius = (
    { id => 4270, table => 'radcheck', customerid => 2, username => 'ts_telrad_autopro',
      attribute => 'Cleartext-Password', op => ':=', value => '0ac5ae06a2ec2' },
);

# One positional argument, a hash of attributes, or these as a flat list.
sub arguments {
    my ($name, $class, @given) = @_;
    print "called $name\n";
    die "no attributes\n" unless @given;
    my $given = ref $given[0] ? $given[0] : {@given};
    return $given if ($given->{api_username} // '') eq $USERNAME && ($given->{api_password} // '') eq $PASSWORD;
    return;
}

sub denied { 'ERROR: access denied' }
sub lacks { my ($given, @names) = @_; (grep { !length($given->{$_} // '') } @names)[0] }
sub missing { "ERROR: missing required attribute $_[0]" }
sub xml { Encode::encode('UTF-8', XML::Simple::XMLout(@_)) }

sub pingAPI { arguments('pingAPI', @_) ? 'OK' : denied() }

sub addCustomer {
    my $given = arguments('addCustomer', @_) or return denied();
    my $lack = lacks($given, qw(name nickname invoicingid));
    return missing($lack) if $lack;
    my %new = map { $_ => $given->{$_} } grep { !/^api_|^operator$/ } keys %$given;
    # What is taken gets a serial number.
    for my $unique (qw(nickname invoicingid)) {
        my ($wanted, $number) = ($new{$unique}, 1);
        $new{$unique} = $wanted . ++$number while grep { ($_->{$unique} // '') eq $new{$unique} } values %customers;
    }
    if (length($new{address} // '')) {
        @new{qw(street street2 town county zip state)} = split /:::/, delete $new{address}, -1;
    }
    if (($new{init_date} // '') =~ m{^(\d\d)/(\d\d)/(\d{4})$}) { $new{init_date} = "$3-$1-$2" }
    $new{accountsemail} = delete $new{accounts_email} if exists $new{accounts_email};
    $customers{ ++$last } = \%new;
    # A map that is none the library cannot write: it dies after the work is done.
    $new{nickname} =~ /^Unwritable/ ? SOAP::Data->type(map => "OK:$last") : "OK:$last";
}

sub modifyCustomer {
    my $given = arguments('modifyCustomer', @_) or return denied();
    my $customer = $customers{ $given->{customerid} // '' } or return 'ERROR: no such customer';
    $customer->{$_} = $given->{$_} for grep { !/^api_|^operator$|^customerid$/ } keys %$given;
    'OK';
}

sub deleteCustomer {
    my $given = arguments('deleteCustomer', @_) or return denied();
    my $customer = $customers{ $given->{customerid} // '' } or return 'ERROR: no such customer';
    return "customer must be in a status different than 'current'" if ($customer->{customerstatus} // '') eq 'current';
    delete $customers{ $given->{customerid} };
    'OK';
}

sub searchCustomer {
    my $given = arguments('searchCustomer', @_) or return denied();
    my %found;
    for my $id (keys %customers) {
        my $customer = $customers{$id};
        my ($first, $rest) = split / /, $customer->{name}, 2;
        my %row = (customerid => $id, firstname => $first, lastname => $rest // '', email => $customer->{email} // '',
                   phone => $customer->{phone_list_main} // '', customerstatus => $customer->{customerstatus} // '',
                   city => $customer->{city} // '', country => $customer->{country} // '');
        next if grep { length($given->{$_} // '') && index(lc($row{$_} // ''), lc $given->{$_}) < 0 }
            qw(customerid firstname lastname email phone customerstatus);
        $found{$id} = { map { $_ => [ $row{$_} ] } keys %row };
    }
    my %root = (case_sensitive => [0], limit => [ $given->{limit} // 20 ], offset => [ $given->{offset} // 0 ],
                order => [ $given->{order} // 'customerid' ], results => [ scalar keys %found ]);
    $root{customer} = \%found if %found;
    xml(\%root, RootName => 'customerSearchRoot', KeyAttr => { customer => 'id' });
}

sub getCustomerData {
    my $given = arguments('getCustomerData', @_) or return denied();
    my $id = $given->{customerid} // '';
    my $customer = $customers{$id} or return "ERROR: customer $id does not exist";
    my %shown = (%$customer, id => $id, status => $customer->{customerstatus} // '');
    xml({ customer => { map { $_ => [ $shown{$_} ] } keys %shown } }, RootName => 'customerDataRoot', KeyAttr => []);
}

sub checkExistingEmail {
    my $given = arguments('checkExistingEmail', @_) or return denied();
    die "checkExistingEmail has no attribute operator\n" if exists $given->{operator};
    my ($id) = grep { ($customers{$_}{email} // '') eq ($given->{email} // '') } keys %customers;
    $id // 0;
}

sub getCustomerStatuses {
    arguments('getCustomerStatuses', @_) or return denied();
    xml(
        {
            array => [ 'contract', 'current', 'Nowy Status', 'post' ],
            labels => { 'Nowy Status' => 'Nowy Status', contract => 'contract', current => 'Current', post => 'Disconnected' },
            substatus_hash => { post => { default => '', labels => 'Reason', values => [ '', 'price', 'signal' ] } },
        },
        RootName => 'customerStatusesRoot',
    );
}

sub listEquipment {
    my $given = arguments('listEquipment', @_) or return denied();
    my %equipment = map {
        $_->{id} => { %$_, date_added => '2016-08-10 05:49:50.297976', status => 'use', imsi => '', ki => '', macaddress => '' }
    } ({ id => 1, nickname => 'A5', ipaddress => '10.10.10.17', serialnumber => 'GMB999998765', type => 'telradltecpe' },
       { id => 100, nickname => 'PPPoE-NAS', ipaddress => '10.254.254.29', serialnumber => 'Router', type => '',
         description => "R\x{e9}seau NAS & Router <core>" });
    xml(\%equipment, RootName => 'Equipment', NoAttr => 1, KeyAttr => []);
}

sub addInstallerTracking {
    my $given = arguments('addInstallerTracking', @_) or return denied();
    my $lack = lacks($given, 'maintenanceId');
    return missing($lack) if $lack;
    $tracking{ ++$last } = $given;
    "${last}OK";
}

sub addCPE {
    my $given = arguments('addCPE', @_) or return denied();
    my $lack = lacks($given, qw(equipid customerid));
    return missing($lack) if $lack;
    return 'ERROR: additionalinfo is no array' if exists $given->{additionalinfo} && ref $given->{additionalinfo} ne 'ARRAY';
    'OK :' . ++$last;
}

sub customerRadius {
    my $given = arguments('customerRadius', @_) or return denied();
    my %head = (table => $given->{table}, action => $given->{action});
    my $own = sub { $_[0]{customerid} == $given->{customerid} && $_[0]{table} eq $given->{table} };
    if ($given->{action} eq 'list') {
        my @rows = map { my %row = %$_; delete $row{table}; \%row } grep { $own->($_) } @radius;
        return { %head, results => \@rows };
    }
    if ($given->{action} eq 'add') {
        push @radius, { id => ++$last, map { $_ => $given->{$_} } qw(table customerid username attribute op value) };
        return { %head, result => 'OK' };
    }
    my $before = @radius;
    @radius = grep { !($own->($_) && $_->{username} eq ($given->{username} // '')) } @radius if $given->{action} eq 'delete';
    return { %head, result => @radius < $before ? 'OK' : 'ERROR: no such entry' };
}

package main;

$| = 1;
# The class is in this file; nothing needs to be looked for.
$INC{'OperatorAPI.pm'} = 1;
my $daemon = SOAP::Transport::HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1)
    ->dispatch_to('OperatorAPI');
print 'listening on ', $daemon->sockport, "\n";
$daemon->handle;
