package dialect

const OutcomeCount = len(outcomes)

type (
	ProblemBody    = problem
	BlueSnapErrors = bluesnapErrors
)
