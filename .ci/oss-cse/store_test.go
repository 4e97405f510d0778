package cse

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	metaPrefix    = "X-Oss-Meta-"
	checksum      = "X-Oss-Hash-Crc64ecma"
	copySource    = "X-Oss-Copy-Source"
	copyDirective = "X-Oss-Metadata-Directive"
)

// objectStore is as much of the object store as the SDK's encrypting bucket uses: put, head, get with ranges, copy onto
// itself with other metadata, and uploads in parts. It keeps what it is sent and knows nothing of keys.
type objectStore struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]object  // by path: /BUCKET/NAME
	uploads map[string]*upload // by upload id
}

type object struct {
	meta    http.Header // the X-Oss-Meta- headers
	content []byte
}

// upload is an object whose parts are still coming.
type upload struct {
	path  string
	meta  http.Header
	parts map[int][]byte
}

func newObjectStore(t *testing.T) *objectStore {
	s := &objectStore{objects: make(map[string]object), uploads: make(map[string]*upload)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// object returns what is stored at the path.
func (s *objectStore) object(t *testing.T, path string) object {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[path]
	if !ok {
		t.Fatalf("nothing is stored at %s", path)
	}
	return o
}

func (s *objectStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "RequestTimeout")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	uploadID := query.Get("uploadId")
	switch {
	case r.Method == http.MethodPut && uploadID != "":
		s.putPart(w, uploadID, query.Get("partNumber"), body)
	case r.Method == http.MethodPut && r.Header.Get(copySource) != "":
		s.copy(w, r)
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path] = object{metadata(r.Header), body}
		w.Header().Set("ETag", tag(body))
		w.Header().Set(checksum, crc(body))
	case r.Method == http.MethodPost && query.Has("uploads"):
		s.startUpload(w, r)
	case r.Method == http.MethodPost && uploadID != "":
		s.completeUpload(w, uploadID, body)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.get(w, r)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (s *objectStore) get(w http.ResponseWriter, r *http.Request) {
	o, ok := s.objects[r.URL.Path]
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	for name, values := range o.meta {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", tag(o.content))
	w.Header().Set(checksum, crc(o.content))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.content))
}

// copy serves the one copy that is needed: an object onto itself, with other metadata.
func (s *objectStore) copy(w http.ResponseWriter, r *http.Request) {
	source, err := url.PathUnescape(r.Header.Get(copySource))
	o, ok := s.objects[r.URL.Path]
	if err != nil || !ok || source != r.URL.Path || r.Header.Get(copyDirective) != "REPLACE" {
		refuse(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	o.meta = metadata(r.Header)
	s.objects[r.URL.Path] = o
	answer(w, struct {
		XMLName      xml.Name `xml:"CopyObjectResult"`
		LastModified time.Time
		ETag         string
	}{LastModified: time.Now().UTC(), ETag: tag(o.content)})
}

func (s *objectStore) startUpload(w http.ResponseWriter, r *http.Request) {
	id := strconv.Itoa(len(s.uploads) + 1)
	s.uploads[id] = &upload{r.URL.Path, metadata(r.Header), make(map[int][]byte)}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	answer(w, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: bucket, Key: key, UploadId: id})
}

func (s *objectStore) putPart(w http.ResponseWriter, id, number string, body []byte) {
	n, err := strconv.Atoi(number)
	u, ok := s.uploads[id]
	if err != nil || !ok || n < 1 {
		refuse(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	u.parts[n] = body
	w.Header().Set("ETag", tag(body))
	w.Header().Set(checksum, crc(body))
}

// completeUpload joins the parts that the body lists, in the order of their numbers.
func (s *objectStore) completeUpload(w http.ResponseWriter, id string, body []byte) {
	var list struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []struct {
			PartNumber int
			ETag       string
		}
	}
	u, ok := s.uploads[id]
	if err := xml.Unmarshal(body, &list); err != nil || !ok {
		refuse(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	sort.Slice(list.Part, func(i, j int) bool { return list.Part[i].PartNumber < list.Part[j].PartNumber })
	var content []byte
	for _, part := range list.Part {
		bytes, ok := u.parts[part.PartNumber]
		if !ok || part.ETag != tag(bytes) {
			refuse(w, http.StatusBadRequest, "InvalidPart")
			return
		}
		content = append(content, bytes...)
	}
	s.objects[u.path] = object{u.meta, content}
	delete(s.uploads, id)
	w.Header().Set(checksum, crc(content))
	answer(w, struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag    string
	}{ETag: tag(content)})
}

func metadata(header http.Header) http.Header {
	meta := make(http.Header)
	for name, values := range header {
		if strings.HasPrefix(name, metaPrefix) {
			meta[name] = values
		}
	}
	return meta
}

func crc(content []byte) string {
	return strconv.FormatUint(crc64.Checksum(content, crc64.MakeTable(crc64.ECMA)), 10)
}

func tag(content []byte) string {
	return `"` + crc(content) + `"`
}

func answer(w http.ResponseWriter, result any) {
	text, err := xml.Marshal(result)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Write(text)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}
