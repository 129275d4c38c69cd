package gateway

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// queryRules are the parameters of each route, by path and name. grpc-gateway
// passes over names that it does not know and explains values in its own terms;
// here both are refused in the caller's.
type queryRules map[string]map[string]protoreflect.FieldDescriptor

// newQueryRules takes them from the proto's routes that have no variable in
// their path. GET and POST of one path may be asked with either's parameters.
func newQueryRules() queryRules {
	rules := queryRules{}
	for _, file := range []protoreflect.FileDescriptor{
		v1.File_tallyroot_v1_events_proto, v1.File_tallyroot_v1_histories_proto, v1.File_tallyroot_v1_participants_proto, v1.File_tallyroot_v1_log_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				method := methods.Get(j)
				rule := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
				path := rule.GetGet() + rule.GetPost()
				if rules[path] == nil {
					rules[path] = map[string]protoreflect.FieldDescriptor{}
				}
				fields := method.Input().Fields()
				for k := range fields.Len() {
					f := fields.Get(k)
					if rule.Body == "*" || rule.Body == string(f.Name()) {
						continue
					}
					rules[path][f.JSONName()] = f
				}
			}
		}
	}
	return rules
}

var durationText = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,9})?s$`)

// check refuses parameters that the route does not have, that stand twice, or
// whose values cannot be read.
func (q queryRules) check(u *url.URL) *status.Status {
	if u.RawQuery == "" {
		return nil
	}
	fields, known := q[u.Path]
	if !known {
		return nil
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem(codes.InvalidArgument, "the query cannot be read: "+err.Error()+"; percent-encode what stands in it")
	}
	for _, name := range sortedKeys(values) {
		f, ok := fields[name]
		if !ok {
			names := sortedKeys(fields)
			if len(names) == 0 {
				return statusOf(invalid(name, "there is no such parameter; this takes none"))
			}
			return statusOf(invalid(name, "there is no such parameter; this takes "+strings.Join(names, ", ")))
		}
		if n := len(values[name]); n > 1 {
			return statusOf(invalid(name, fmt.Sprintf("stands in the query %d times; give it once", n)))
		}
		if wrong := wrongValue(f, values[name][0]); wrong != "" {
			return statusOf(invalid(name, wrong))
		}
	}
	return nil
}

func wrongValue(f protoreflect.FieldDescriptor, value string) string {
	switch f.Kind() {
	case protoreflect.Uint64Kind:
		if _, err := strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Sprintf("%.40q is not a whole number from 0 to 18446744073709551615", value)
		}
	case protoreflect.Int32Kind:
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return fmt.Sprintf("%.40q is not a whole number", value)
		}
	case protoreflect.MessageKind:
		if f.Message().FullName() == "google.protobuf.Duration" && !durationText.MatchString(value) {
			return fmt.Sprintf("%.40q is not a time in seconds; write it like 10s or 0.5s", value)
		}
	}
	return ""
}
