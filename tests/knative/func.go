// What func 1.23 itself makes of a function's folder, and `func invoke` as it sends an event.
//
//	func check FOLDER…
//	func invoke FOLDER URL TYPE ID DATA [EXTENSION=VALUE …]
//
// The command `func` needs modules of cloud providers that not every module proxy has; its library does not.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	fn "knative.dev/func/pkg/functions"
)

func main() {
	var err error
	switch os.Args[1] {
	case "check":
		err = check(os.Args[2:])
	case "invoke":
		err = invoke(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6], os.Args[7:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check says, for each folder, its name and whether func takes it for a function of parliament's.
func check(folders []string) error {
	for _, folder := range folders {
		f, err := fn.NewFunction(folder)
		if err == nil {
			err = f.Validate()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		fmt.Println(f.Name, f.Runtime, f.Invoke, f.Initialized(), f.IsLegacyParliament(), f.IsUnsupportedLegacyPython())
	}
	return nil
}

func invoke(folder, url, kind, id, data string, extensions []string) error {
	message := fn.NewInvokeMessage()
	message.Type, message.ID, message.Data, message.Format = kind, id, []byte(data), "cloudevent"
	message.Extensions = map[string]string{}
	for _, one := range extensions {
		name, value, _ := strings.Cut(one, "=")
		message.Extensions[name] = value
	}
	_, body, err := fn.New().Invoke(context.Background(), folder, url, message)
	fmt.Print(body)
	return err
}
