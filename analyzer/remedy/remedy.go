package remedy
import ("vedette.dev/analyzer";"vedette.dev/analyzer/action")
type Planner struct{}
func (Planner) Plan(in analyzer.Incident) []action.Action {return nil}
