//! The libraries the upstreams are written with, as clients; where they are not installed the check says so.

use std::net::SocketAddr;

use ispbridge_parts::{Part, SOAP_LITE, XML_SIMPLE, XMLRPC_LITE};

use crate::wire::sandbox;

const SOAP: &str = r#"
use strict; use warnings; use SOAP::Lite;
my ($address) = @ARGV;
my $api = SOAP::Lite->uri("http://$address/OperatorAPI")->proxy("http://$address/API/operatorapi.pl");
my %auth = (api_username => 'apiuser', api_password => 'apipass');
my $ask = sub { my ($method, %more) = @_; my $som = $api->call($method, { %auth, %more });
    die $som->faultstring if $som->fault; return $som->result };
print $ask->('pingAPI'), "\n";
print $ask->('addCustomer', name => "\x{141}ucja", nickname => 'L1', invoicingid => 'L1', 39 => 'odd key'), "\n";
print $ask->('checkExistingEmail', email => 'john@example.com'), "\n";
my $rows = $ask->('customerRadius', table => 'radcheck', action => 'list', customerid => 27939)->{results};
print scalar(@$rows), " $rows->[0]{username} $rows->[1]{op}\n";
print $ask->('addCustomTableEntries', customerid => 2, tablename => 'voip', 39 => 'a', 40 => 'b'), "\n";
print $ask->('addCPE', equipid => 1, customerid => 2, additionalinfo => ['roof', 'south']), "\n";
print $ask->('addRADIUSdetails', existing_radius_username => 'GuestMarquette', radius_username => 'second'), "\n";
print $ask->('listRADIUSdetails', existing_radius_username => 'second') =~ /<customerid>(\d+)</, "\n";
print $ask->('getProducts', productid => [2, 3]) =~ /<id>(\d)</g, "\n";
print $ask->('checkEUPLogin', eup_username => 'john', eup_password => 'no'), "\n";
print $ask->('modifyCustomer', customerid => 2, note => "caf\x{e9}"), "\n";
print $ask->('getCustomerData', customerid => 2) =~ /<note>(caf.*)</ ? length $1 : 'no note', "\n";
print eval { $ask->('noSuchMethod') } // $@;
"#;

/// Asks both transports and has XML::Simple itself make SOAP's text of REST's structure.
const BOTH: &str = r#"
use strict; use warnings; use SOAP::Lite; use XML::Simple; use JSON::PP; use HTTP::Tiny;
my ($address) = @ARGV;
my $api = SOAP::Lite->uri("http://$address/OperatorAPI")->proxy("http://$address/API/operatorapi.pl");
my %auth = (api_username => 'apiuser', api_password => 'apipass');
my $json = JSON::PP->new->utf8;
my $compare = sub { my ($function, $attributes, $root, %options) = @_;
    my %all = (%auth, %$attributes);
    my $text = $api->call($function, \%all)->result;
    my $answer = HTTP::Tiny->new->request('POST', "http://$address/restapi/API/$function",
        { content => $json->encode(\%all) });
    no warnings;
    my $made = XMLout($json->decode($answer->{content})->{result}, RootName => $root, %options);
    print $made eq $text ? "$function\n" : "$function differs:\n$made\n$text\n" };
my @elements = (NoAttr => 1);
$compare->('getCustomerStatuses', {}, 'customerStatusesRoot');
$compare->('generateIP', { customerid => 2, quantity => 3 }, 'customerSearchRoot', @elements);
$compare->('listCommunityCode', {}, 'customerSearchRoot', @elements);
$compare->('getCustomerData', { customerid => 27738, map { $_ => 1 } qw(ip cpe subscription usage statement customFields) },
    'customerDataRoot', @elements);
$compare->('getMaintenanceData', { customerid => 27739 }, 'maintenanceDataRoot', @elements);
$compare->('getEFTData', { customerid => 2 }, 'eFTDataRoot', @elements);
$compare->('listRADIUSdetails', { existing_radius_username => 'GuestMarquette' }, 'rADIUSdetailsRoot', @elements);
$compare->('listRadiusSessions', { customerid => 1791 }, 'radiusSessionsRoot', @elements);
$compare->('getInterfaceData', {}, 'interfaceDataRoot', @elements);
$compare->('getProducts', {}, 'productsRoot', @elements);
$compare->('listCustomTableEntries', { customerid => 2 }, 'customTableEntriesRoot', @elements, KeyAttr => []);
"#;

const XMLRPC: &str = r#"
use strict; use warnings; use XMLRPC::Lite;
my ($address) = @ARGV;
my $api = XMLRPC::Lite->proxy("http://$address/selfservice/xmlrpc.cgi");
my $ask = sub { my ($method, @more) = @_; my $som = $api->call($method, @more);
    die $som->faultstring if $som->fault; return $som->result };
my $login = $ask->('FS.SelfService.XMLRPC.agent_login', { username => 'reseller', password => 's33kret' });
my $id = $login->{session_id};
my $flat = $ask->('FS.ClientAPI_XMLRPC.agent_info', session_id => $id);
print "$flat->{agent} $flat->{num_active}\n";
my $list = $ask->('FS.SelfService.XMLRPC.agent_list_customers', { session_id => $id, active => 1, susp => 1 });
print join(' ', map { $_->{custnum} } @{ $list->{customers} }), "\n";
print $ask->('FS.SelfService.XMLRPC.agent_info', { session_id => 'nope' })->{error}, "\n";
print eval { $ask->('FS.SelfService.XMLRPC.nothing', {}) } // $@;
"#;

/// What the program prints; `None` when Perl lacks the module.
async fn perl(module: Part, program: &'static str, address: SocketAddr) -> Option<String> {
    let mut perl = module.command()?;
    perl.args(["-e", program, &address.to_string()]);
    let output = tokio::task::spawn_blocking(move || perl.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn soap_lite_understands_azotel() {
    let sandbox = sandbox().await;
    let Some(printed) = perl(SOAP_LITE, SOAP, sandbox.address("azotel")).await else { return };
    let expected = "OK\nOK:101\n2\n2 ts_telrad_autopro ==\nOK: 4\nOK :103\nOK\n2\n23\n\
                    ERROR: invalid username/password\nOK\n5\nFailed to locate method (noSuchMethod)";
    assert!(printed.starts_with(expected), "{printed}");
}

#[tokio::test]
async fn xml_simple_writes_the_same_text() {
    let sandbox = sandbox().await;
    let Some(printed) = perl(XML_SIMPLE, BOTH, sandbox.address("azotel")).await else { return };
    assert!(!printed.contains("differs") && printed.lines().count() == 11, "{printed}");
}

#[tokio::test]
async fn xmlrpc_lite_understands_freeside() {
    let sandbox = sandbox().await;
    let Some(printed) = perl(XMLRPC_LITE, XMLRPC, sandbox.address("freeside")).await else { return };
    let expected = "Test Reseller 1\n23 24\nCan't resume session\nNo such procedure: nothing at ";
    assert!(printed.starts_with(expected), "{printed}");
}
