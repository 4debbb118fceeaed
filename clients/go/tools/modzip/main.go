// Command modzip packs a module as the Go proxy serves it, into a folder that works as GOPROXY=file://FOLDER.
//
//	modzip MODULE_DIR MODULE_PATH VERSION FOLDER
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "modzip:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: modzip MODULE_DIR MODULE_PATH VERSION FOLDER")
	}
	dir, version, folder := args[0], module.Version{Path: args[1], Version: args[2]}, args[3]
	escaped, err := module.EscapePath(version.Path)
	if err != nil {
		return err
	}
	into := filepath.Join(folder, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version.Version, "Time": time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	for ending, content := range map[string][]byte{".mod": goMod, ".info": info} {
		if err := os.WriteFile(filepath.Join(into, version.Version+ending), content, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(into, "list"), []byte(version.Version+"\n"), 0o644); err != nil {
		return err
	}
	packed, err := os.Create(filepath.Join(into, version.Version+".zip"))
	if err != nil {
		return err
	}
	// It leaves out nested modules, and refuses what the proxy would refuse.
	return errors.Join(zip.CreateFromDir(packed, version, dir), packed.Close())
}
