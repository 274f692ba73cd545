package jetstream_test
import ("testing";"fmt";"github.com/nats-io/nats.go";natsjs "github.com/nats-io/nats.go/jetstream";"github.com/synadia-io/orbit.go/jetstreamext";"segue/broker";"segue/journal/jetstream";"segue/events")
func TestZZ(t *testing.T){
	r := newRig(t, broker.Config{})
	j, nc := r.open(t, jetstream.Options{})
	js,_ := natsjs.New(nc)
	ok,bad := 0,0
	for i:=range 50 {
		var ms []*nats.Msg
		for k := range 20 { m:=nats.NewMsg(command(fmt.Sprintf("x%d-%d",i,k),1).Subject); m.Data=[]byte("1"); ms=append(ms,m)}
		m:=nats.NewMsg(ms[3].Subject); m.Data=[]byte("2"); ms=append(ms,m)
		_,err:=jetstreamext.PublishMsgBatch(t.Context(),js,ms,jetstreamext.BatchFlowControl{})
		if err==nil {ok++} else {bad++; if bad==1 {t.Log(err)}}
	}
	t.Log("accepted",ok,"refused",bad)
	c:=map[string]int{}; two:=0
	for _,rec:=range load(t,j,events.AllRuns){c[rec.Subject]++; if string(rec.Data)=="2"{two++}}
	n:=0; for _,v:=range c { if v>1 {n++}}
	t.Log("subjects",len(c),"doubles",n, "replaced by second", two)
}
