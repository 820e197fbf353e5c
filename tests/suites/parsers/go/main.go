// Reads requests as Go's net/http finds them.
//
// Input: one base 64 text per line; output: one JSON object per line with the requests, or an error.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
)

type request struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Body   string `json:"body"`
}

type found struct {
	Requests []request `json:"requests"`
	Error    *string   `json:"error"`
}

func parse(text []byte) found {
	all := found{Requests: []request{}}
	reader := bufio.NewReader(bytes.NewReader(text))
	for {
		next, err := http.ReadRequest(reader)
		if errors.Is(err, io.EOF) {
			return all
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(next.Body)
		}
		if err != nil {
			message := err.Error()
			all.Error = &message
			return all
		}
		encoded := base64.StdEncoding.EncodeToString(body)
		all.Requests = append(all.Requests, request{next.Method, next.RequestURI, encoded})
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		text, err := base64.StdEncoding.DecodeString(lines.Text())
		if err == nil {
			err = output.Encode(parse(text))
		}
		if err != nil {
			panic(err)
		}
	}
}
