#!/usr/bin/perl
# A classic AGI script on Asterisk::AGI: it knows Asterisk and no agi-bridge. Asks for a PIN and goes back to the dialplan.
# Tells on its error output what it sees. Its argument is the key under which it keeps how the call went.

use strict;
use warnings;
use Asterisk::AGI;

my $signals = 0;
$SIG{HUP} = sub { $signals++ };

my $AGI = new Asterisk::AGI;
my %input = $AGI->ReadParse();
$AGI->setcallback(\&hung_up);

my $key = $ARGV[0];
say("call from $input{callerid} with $input{arg_1}");
$AGI->answer();
$AGI->stream_file('hello-world');
my $digits = $AGI->get_data('beep', 5000, 4);
say("digits $digits");
$AGI->verbose("asked for a PIN", 3);
$AGI->set_variable('PIN', $digits);
$AGI->database_put('lab', $key, 'done');
exit 0;

# Called when a command gives -1.
sub hung_up {
    $AGI->database_put('lab', $key, 'gone');
    $AGI->set_variable('SIGNALS', $signals);
    say("gone with $signals signals");
    exit 0;
}

sub say {
    print STDERR "classic.pl: $_[0]\n";
}
