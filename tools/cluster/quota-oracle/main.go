// Command quota-oracle prints what Kubernetes' own quota evaluators charge for an object.
//
// It reads one JSON object a line (Pod, PersistentVolumeClaim, Service or ResourceClaim, with apiVersion),
// gives it the API server's defaults, and prints one JSON resource list a line, in the same order. A line
// that it cannot answer is answered with {"error": reason}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/dynamic-resource-allocation/deviceclass/extendedresourcecache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	"k8s.io/utils/clock"
)

const lineBytesMax = 16 << 20

type evaluators struct{ pod, claim, service, device quota.Evaluator }

func main() {
	classes := extendedresourcecache.NewExtendedResourceCache(klog.FromContext(context.Background()))
	upstream := evaluators{
		pod:     core.NewPodEvaluator(nil, clock.RealClock{}),
		claim:   core.NewPersistentVolumeClaimEvaluator(nil),
		service: core.NewServiceEvaluator(nil),
		device:  core.NewResourceClaimEvaluator(nil, classes, nil, nil),
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	answers := json.NewEncoder(os.Stdout) // writes each line at once
	for lines.Scan() {
		var answer any
		answer, err := upstream.usage(lines.Bytes())
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func (e evaluators) usage(line []byte) (corev1.ResourceList, error) {
	object, kind, err := legacyscheme.Codecs.UniversalDeserializer().Decode(line, nil, nil)
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(object)
	switch object.(type) {
	case *corev1.Pod:
		return e.pod.Usage(object)
	case *corev1.PersistentVolumeClaim:
		return e.claim.Usage(object)
	case *corev1.Service:
		return e.service.Usage(object)
	case *resourcev1.ResourceClaim:
		return e.device.Usage(object)
	}
	return nil, fmt.Errorf("no upstream evaluator for %s", kind)
}
