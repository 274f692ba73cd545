// Package kubernetes_test holds that the manifests in this folder say what Segue is.
// That they are manifests at all is checked by .ci/kubernetes.
package kubernetes_test

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	diff "github.com/google/go-cmp/cmp"

	"segue/access"
	"segue/journal/jetstream"
	"segue/participant"
	"segue/saga"
	"segue/sagas"
)

// manifest is an object of Kubernetes, as far as the tests look at it.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Replicas     *int
		MinAvailable *int `yaml:"minAvailable"`
		Selector     struct {
			MatchLabels labels `yaml:"matchLabels"`
		}
		PodSelector struct {
			MatchLabels labels `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		ScaleTargetRef struct{ Name string } `yaml:"scaleTargetRef"`
		Triggers       []struct {
			Type     string
			Metadata map[string]string
		}
		Egress   []rule
		Template struct {
			Metadata struct{ Labels labels }
			Spec     struct {
				Containers []struct {
					Name  string
					Image string
				}
				Volumes []struct {
					Secret struct {
						SecretName string `yaml:"secretName"`
					}
				}
			}
		}
	}
}

type labels map[string]string

type rule struct {
	To []struct {
		IPBlock struct {
			CIDR   string
			Except []string
		} `yaml:"ipBlock"`
	}
	Ports []struct{ Port int }
}

// program is the label that tells programs apart.
const program = "app.kubernetes.io/name"

// manifests returns the objects of the base of a kind.
func manifests(t *testing.T, kind string) []manifest {
	t.Helper()
	files, err := filepath.Glob("base/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var found []manifest
	for _, file := range files {
		if slices.Contains([]string{"kustomization.yaml", "program.yaml", "reader.yaml"}, filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var m manifest
			if err := d.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if m.Kind == kind {
				found = append(found, m)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("the base has no %s", kind)
	}
	return found
}

func names(list []manifest) []string {
	var all []string
	for _, m := range list {
		all = append(all, m.Metadata.Name)
	}
	return slices.Sorted(slices.Values(all))
}

// TestPrograms holds that there is each program, that it runs itself, with a key of
// its own, and that whatever selects its pods finds them.
func TestPrograms(t *testing.T) {
	t.Parallel()
	want := []string{"fetcher", "orchestrator", "parser", "saver", "validator"}
	deployments := manifests(t, "Deployment")
	if d := diff.Diff(want, names(deployments)); d != "" {
		t.Errorf("other programs (-want +have):\n%s", d)
	}
	for _, m := range deployments {
		name, pod := m.Metadata.Name, m.Spec.Template
		if m.Spec.Selector.MatchLabels[program] != name || pod.Metadata.Labels[program] != name {
			t.Errorf("%s selects %v and is labelled %v", name, m.Spec.Selector.MatchLabels, pod.Metadata.Labels)
		}
		if c := pod.Spec.Containers; len(c) != 1 || c[0].Name != "program" || c[0].Image != "segue/"+name {
			t.Errorf("%s runs %+v", name, c)
		}
		if v := pod.Spec.Volumes; len(v) != 1 || v[0].Secret.SecretName != "segue-"+name {
			t.Errorf("%s has volumes %+v", name, v)
		}
	}
	budgets := manifests(t, "PodDisruptionBudget")
	if d := diff.Diff(want, names(budgets)); d != "" {
		t.Errorf("other disruption budgets (-want +have):\n%s", d)
	}
	for _, m := range budgets {
		if m.Spec.Selector.MatchLabels[program] != m.Metadata.Name {
			t.Errorf("the disruption budget %s is for %v", m.Metadata.Name, m.Spec.Selector.MatchLabels)
		}
	}
}

// TestProgram holds what all programs have in common: they are confined, asked how
// they are, and given the time to end what they have begun.
func TestProgram(t *testing.T) {
	t.Parallel()
	type probe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
	type container struct {
		Startup  probe `yaml:"startupProbe"`
		Live     probe `yaml:"livenessProbe"`
		Ready    probe `yaml:"readinessProbe"`
		Security struct {
			Escalation   *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
			Capabilities struct{ Drop []string }
		} `yaml:"securityContext"`
	}
	var all struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace    int `yaml:"terminationGracePeriodSeconds"`
					Security struct {
						NonRoot bool                  `yaml:"runAsNonRoot"`
						Seccomp struct{ Type string } `yaml:"seccompProfile"`
					} `yaml:"securityContext"`
					Containers []container
				}
			}
		}
	}
	text, err := os.ReadFile("base/program.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	pod := all.Spec.Template.Spec
	if drain := participant.DefaultDrain.Seconds(); float64(pod.Grace) < drain+5 { // and then there is something to close
		t.Errorf("programs have %d s to end, and their handlers %v s", pod.Grace, drain)
	}
	if !pod.Security.NonRoot || pod.Security.Seccomp.Type != "RuntimeDefault" {
		t.Errorf("pods are not confined: %+v", pod.Security)
	}
	var want container
	want.Startup.HTTPGet.Path, want.Live.HTTPGet.Path, want.Ready.HTTPGet.Path = "/healthz", "/healthz", "/readyz"
	want.Startup.HTTPGet.Port, want.Live.HTTPGet.Port, want.Ready.HTTPGet.Port = "http", "http", "http"
	want.Security.Escalation, want.Security.ReadOnly, want.Security.Capabilities.Drop = new(bool), true, []string{"ALL"}
	if d := diff.Diff([]container{want}, pod.Containers); d != "" {
		t.Errorf("containers are otherwise (-want +have):\n%s", d)
	}
}

// TestScaling holds that services are scaled by their queues, every queue of the
// shipped sagas by somebody, and that nothing else says how many there are.
func TestScaling(t *testing.T) {
	t.Parallel()
	definitions, err := sagas.All()
	if err != nil {
		t.Fatal(err)
	}
	replicas := make(map[string]*int)
	for _, m := range manifests(t, "Deployment") {
		replicas[m.Metadata.Name] = m.Spec.Replicas
	}
	var queues []string
	for _, m := range manifests(t, "ScaledObject") {
		name := m.Spec.ScaleTargetRef.Name
		if count, found := replicas[name]; !found || count != nil || name != m.Metadata.Name {
			t.Errorf("%s scales %s, which is there: %t, and has a count of its own: %t", m.Metadata.Name, name, found, count != nil)
		}
		for _, trigger := range m.Spec.Triggers {
			queues = append(queues, trigger.Metadata["consumer"])
			want := map[string]string{
				"natsServerMonitoringEndpoint": "nats-headless.segue.svc.cluster.local:8222", "account": access.StreamsAccount,
				"stream": jetstream.RunsStream, "consumer": trigger.Metadata["consumer"], "lagThreshold": "32",
			}
			if d := diff.Diff(want, trigger.Metadata); d != "" || trigger.Type != "nats-jetstream" {
				t.Errorf("%s is scaled by %s (-want +have):\n%s", name, trigger.Type, d)
			}
		}
	}
	if d := diff.Diff(slices.Sorted(slices.Values(saga.Services(definitions...))), slices.Sorted(slices.Values(queues))); d != "" {
		t.Errorf("other queues than the sagas have (-want +have):\n%s", d)
	}
}

// TestWaysOut holds that only the fetcher reaches beyond, and only public addresses,
// and only the saver a database.
func TestWaysOut(t *testing.T) {
	t.Parallel()
	beyond := 0
	for _, m := range manifests(t, "NetworkPolicy") {
		who := m.Spec.PodSelector.MatchLabels[program]
		for _, r := range m.Spec.Egress {
			for _, to := range r.To {
				if to.IPBlock.CIDR == "" {
					continue
				}
				beyond++
				if who != "fetcher" {
					t.Errorf("%s lets %q reach %s", m.Metadata.Name, who, to.IPBlock.CIDR)
				}
			}
			for _, p := range r.Ports {
				if p.Port == 5432 && who != "saver" {
					t.Errorf("%s lets %q reach a database", m.Metadata.Name, who)
				}
			}
			if who == "fetcher" {
				checkPublic(t, r)
			}
		}
	}
	if beyond == 0 {
		t.Error("nobody reaches beyond: this test holds nothing")
	}
}

func checkPublic(t *testing.T, r rule) {
	t.Helper()
	for address, public := range map[string]bool{
		"8.8.8.8": true, "93.184.215.14": true, "172.32.0.1": true, "2606:4700::1111": true, "2a00:1450::1": true,
		"10.1.2.3": false, "127.0.0.1": false, "169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "100.64.0.1": false, "0.0.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "fd00::1": false, "fe80::1": false, "ff02::1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "::ffff:10.0.0.1": false,
	} {
		a, reached := netip.MustParseAddr(address), false
		for _, to := range r.To {
			inside := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(a) }
			reached = reached || inside(to.IPBlock.CIDR) && !slices.ContainsFunc(to.IPBlock.Except, inside)
		}
		if reached != public {
			t.Errorf("the fetcher reaches %s: %t", address, reached)
		}
	}
}

// TestBroker holds that the broker syncs, keeps what it has three times, reads who
// may do what, and has room for the streams.
func TestBroker(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("nats.values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Config struct {
			Cluster   struct{ Replicas int }
			JetStream struct {
				FileStore struct{ PVC struct{ Size string } } `yaml:"fileStore"`
				Merge     map[string]string
			} `yaml:"jetstream"`
			Merge map[string]string
		}
		Container struct {
			Patch []struct {
				Value struct {
					MountPath string `yaml:"mountPath"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	c := values.Config
	if c.Cluster.Replicas != 3 || c.JetStream.Merge["sync_interval"] != "always" {
		t.Errorf("the broker has %d servers and syncs %q", c.Cluster.Replicas, c.JetStream.Merge["sync_interval"])
	}
	included := path.Join("/etc/nats-config", c.Merge["$include"])
	if len(values.Container.Patch) != 1 || included != path.Join(values.Container.Patch[0].Value.MountPath, access.AuthFile) {
		t.Errorf("the broker reads %s and has %+v", included, values.Container.Patch)
	}
	var reserved int64
	streams, _ := jetstream.Declared(jetstream.Options{})
	for _, s := range streams {
		reserved += s.MaxBytes
	}
	gib, err := strconv.ParseInt(strings.TrimSuffix(c.JetStream.FileStore.PVC.Size, "Gi"), 10, 64)
	if err != nil || cmp.Compare(gib<<30, 2*reserved) < 0 {
		t.Errorf("the broker has %s, and the streams reserve %d bytes (%v)", c.JetStream.FileStore.PVC.Size, reserved, err)
	}
}

// TestNoSecrets holds that there is none in the repository.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, word := range []string{"kind: Secret", "secretGenerator", "stringData", "SUA"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %q in it", name, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
