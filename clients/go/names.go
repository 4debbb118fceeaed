// The names of AGI's commands, as Asterisk has them.

package agibridge

import (
	"strings"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// oddNames are those that are not the contract's in capitals.
var oddNames = map[protoreflect.Name]string{
	"async_agi_break":   "ASYNCAGI BREAK",
	"database_del_tree": "DATABASE DELTREE",
	"hang_up":           "HANGUP",
	"say_date_time":     "SAY DATETIME",
	"set_auto_hangup":   "SET AUTOHANGUP",
	"set_caller_id":     "SET CALLERID",
}

var (
	commandKinds = (&pb.Command{}).ProtoReflect().Descriptor().Oneofs().ByName("command")
	commandNames = allNames()
)

func allNames() map[protoreflect.FieldNumber]string {
	names := map[protoreflect.FieldNumber]string{}
	for i := range commandKinds.Fields().Len() {
		field := commandKinds.Fields().Get(i)
		name, odd := oddNames[field.Name()]
		if !odd {
			name = strings.ToUpper(strings.ReplaceAll(string(field.Name()), "_", " "))
		}
		names[field.Number()] = name
	}
	return names
}

// commandName gives "GET DATA" for a command of that kind.
func commandName(command *pb.Command) string {
	if field := command.ProtoReflect().WhichOneof(commandKinds); field != nil {
		return commandNames[field.Number()]
	}
	return "UNKNOWN" // of a newer contract
}
