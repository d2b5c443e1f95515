<?php
// Functions of Azotel's OperatorAPI on an unmodified SoapServer, for `php -S`. Written from the document; the data is
// invented. What was called shows on the standard error, one line each.

class OperatorAPI
{
    // A method's one argument is a hash of attributes.
    public function __call($name, $arguments)
    {
        file_put_contents('php://stderr', "called $name\n");
        $given = $arguments[0] ?? [];
        if (($given['api_username'] ?? '') !== getenv('PEER_USERNAME') || ($given['api_password'] ?? '') !== getenv('PEER_PASSWORD')) {
            return 'ERROR: access denied';
        }
        return $this->{"do_$name"}($given);
    }

    private function do_pingAPI($given)
    {
        return 'OK';
    }

    // What shall happen stands in the nickname.
    private function do_addCustomer($given)
    {
        switch ($given['nickname']) {
            case 'bare':
                throw new SoapFault('Client', 'nickname is taken');
            case 'refined':
                throw new SoapFault('Client.Data', 'nickname is taken');
            case 'server':
                throw new SoapFault('Server', 'the database is away');
            case 'detail':
                throw new SoapFault('Server', '', null, ['reason' => 'disk full']);
            case 'died':
                throw new RuntimeException('in the middle');
            case 'number':
                return 104;
            case 'true':
                return true;
            case 'renamed':
                return 'OK:104, nickname changed to ł2';
            default:
                return 'OK:104';
        }
    }

    // The same object twice: the second is a reference to the first, which stands inside the array.
    private function do_searchCustomer($given)
    {
        $customer = (object) ['id' => '1', 'email' => 'ł@example.com'];
        return ['results' => '3', 'customer' => [$customer, $customer, (object) ['id' => '2', 'email' => '']]];
    }
}

$server = new SoapServer(null, ['uri' => 'http://h/OperatorAPI']);
$server->setObject(new OperatorAPI());
$server->handle();
