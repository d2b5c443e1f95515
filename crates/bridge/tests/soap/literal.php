<?php
// A service in the style document/literal; the query says whether its schema qualifies elements.
ini_set('soap.wsdl_cache_enabled', '0');

class Service
{
    public function Describe($said)
    {
        if ($said->text === 'fail') {
            throw new SoapFault('Client.Limit', 'too many & too much');
        }
        return [
            'json' => json_encode(['said' => $said, 'action' => $_SERVER['HTTP_SOAPACTION']]),
            'code' => 7,
            'item' => ['a', '<b>'],
            'nothing' => null,
            'inner' => ['a' => 'x'],
        ];
    }
}

$wsdl = tempnam(sys_get_temp_dir(), 'wsdl');
file_put_contents($wsdl, str_replace('FORM', $_SERVER['QUERY_STRING'], file_get_contents(__DIR__ . '/literal.wsdl')));
$server = new SoapServer($wsdl);
unlink($wsdl);
$server->setClass('Service');
$server->handle();
