package cluster

import (
	"fmt"
	"reflect"
	"testing"
)

// A node counts as migrating while its own line, and a primary's, has a mark.
func TestViewOf(t *testing.T) {
	const mark = " [7->-07c37dfeb235213a872192d90877d0cd55635b91]"
	for name, tt := range map[string]struct {
		nodes string
		want  view
	}{
		"primary":                   {line("myself,master", 3, " 0-99 101"), view{primary: true, epoch: 3, slots: [][2]int{{0, 99}, {101, 101}}}},
		"primary without slots":     {line("myself,master", 7, ""), view{primary: true, epoch: 7}},
		"primary that migrates":     {line("myself,master", 3, " 0-99"+mark), view{primary: true, epoch: 3, slots: [][2]int{{0, 99}}, migrating: true}},
		"primary that imports":      {line("myself,master", 3, " [7-<-07c3]"), view{primary: true, epoch: 3, migrating: true}},
		"replica":                   {line("myself,slave", 3, ""), view{epoch: 3}},
		"replica with an old mark":  {line("myself,slave", 3, mark), view{epoch: 3}},
		"beside another's mark":     {line("master", 2, " 100-200"+mark) + line("myself,master", 3, " 0-99"), view{primary: true, epoch: 3, slots: [][2]int{{0, 99}}}},
		"beside another's, replica": {line("master", 2, " 100-200"+mark) + line("myself,slave", 3, mark), view{epoch: 3}},
	} {
		if got, err := viewOf(tt.nodes); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
	for name, nodes := range map[string]string{
		"no line about itself": line("master", 3, " 0-99"),
		"no number":            line("myself,master", 3, " 0-x"),
	} {
		if got, err := viewOf(nodes); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}

func line(flags string, epoch int, slots string) string {
	return fmt.Sprintf("07c37dfeb235213a872192d90877d0cd55635b91 172.18.0.2:6379@16379 %s - 0 1426238317239 %d connected%s\n", flags, epoch, slots)
}
