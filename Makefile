# The words a person types. `make` alone lists them.
STACK ?= local
SHELL := /bin/sh
GROUPS := infra infra-docker infra-azure infra-oci rehearsal engine image docs dev
ENTER := . ./env &&
# Of `make test` and `make check`: how many tests run at once.
WORKERS ?= 3
# What holds data that an update or a teardown may take, as one that was stopped names it.
TAKEN = $(if $(DATA),--data "$(DATA)")
UV = $(shell command -v uv || echo .venv/bin/uv)

.PHONY: help up new down preflight preview refresh drift promote recover move move-in upgrade-database rotate-key run unlock status doctor backup token logs rehearse dump setup test check nightly format lint bench reference docs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

up: setup ## bring up STACK (default: local); what holds data is lost only where DATA= names it; WAIT=0 does not ask the server, PORT= takes another port
	@$(ENTER) python -m infra.operations.up "$(STACK)" $(TAKEN) $(if $(WAIT),--wait "$(WAIT)") $(if $(filter no,$(PREFLIGHT)),--no-preflight) $(if $(PORT),--port "$(PORT)")

new: .trackstack/infra.ready ## write the file of a new stack from an example: make new STACK=prod FROM=azure-prod SET="region=northeurope"
	@$(ENTER) python -m infra.operations.stack.new $(if $(filter-out file environment,$(origin STACK)),"$(STACK)") --from "$(FROM)" $(foreach pair,$(SET),--set "$(pair)")

down: setup ## stop STACK and say what is kept; asks (or needs YES=1, or DATA=) where data are lost
	@$(ENTER) python -m infra.operations.down "$(STACK)" $(if $(YES),--yes) $(TAKEN)

preflight: setup ## whether STACK's cloud is ready for it: login, rights, sizes, limits, names
	@$(ENTER) python -m infra.operations.account.preflight "$(STACK)"

preview: setup ## show what `make up` would change, and whether the policies hold
	@$(ENTER) python -m infra.operations.preview "$(STACK)"

refresh: setup ## take into STACK's state what runs other than it says
	@$(ENTER) python -m infra.operations.drift "$(STACK)" --take

drift: setup ## what runs other than STACK's state says, and who can put it right
	@$(ENTER) python -m infra.operations.drift "$(STACK)"

promote: setup ## run in TO the very image that runs in FROM: make promote FROM=dev TO=prod
	@$(ENTER) python -m infra.operations.setup "$(TO)"
	@$(ENTER) python -m infra.operations.promote --from "$(FROM)" --to "$(TO)" $(if $(YES),--yes) $(TAKEN)

recover: setup ## fill STACK from the newest backup in FROM, and bring it up; FORCE=1 replaces what a local stack holds
	@$(ENTER) python -m infra.operations.recover "$(STACK)" --from "$(FROM)" $(if $(BACKUP),--backup "$(BACKUP)") $(if $(FORCE),--force)
	@$(ENTER) python -m infra.operations.up "$(STACK)" $(TAKEN)

upgrade-database: setup ## back STACK up, and give its database server VERSION, in place
	@$(ENTER) python -m infra.operations.upgrade_database "$(STACK)" "$(VERSION)" $(if $(YES),--yes)

rotate-key: setup ## give STACK another key for the secrets in its store, and put them under it
	@$(ENTER) python -m infra.operations.rotate_key "$(STACK)"
	@$(ENTER) python -m infra.operations.up "$(STACK)" $(TAKEN)

move: setup ## bring what FROM holds into the empty stack TO: make move FROM=local TO=azure-prod
	@$(ENTER) python -m infra.operations.setup "$(TO)"
	@$(ENTER) python -m infra.operations.recover.move --from "$(FROM)" --to "$(TO)"
	@$(ENTER) python -m infra.operations.up "$(TO)" $(TAKEN)

move-in: setup ## bring another MLflow's store into the empty STACK: make move-in STACK=team FROM=sqlite:////srv/mlflow.db ARTIFACTS=/srv/mlartifacts
	@$(ENTER) python -m infra.operations.recover.move_in "$(STACK)" $(if $(FROM),--from "$(FROM)") \
		$(foreach place,$(ARTIFACTS),--artifacts "$(place)") $(if $(WAS),--was "$(WAS)") $(if $(LINKED),--linked "$(LINKED)")
	@$(ENTER) python -m infra.operations.up "$(STACK)" $(TAKEN)

run: ## run a trackstack command beside STACK's server: make run ARGS="backup verify"
	@$(ENTER) python -m infra.operations.run "$(STACK)" $(ARGS)

unlock: ## free STACK from an update that was killed
	@$(ENTER) python -m infra.operations.stack.unlock "$(STACK)" $(if $(YES),--yes)

status: ## how STACK and its server are, its address, token command, logs; exits 1 where not all is well; JSON=1 for machines
	@$(ENTER) python -m infra.operations.status "$(STACK)" $(if $(JSON),--json)

doctor: ## check STACK part by part, and say what to do where something is not well
	@$(ENTER) python -m infra.operations.run "$(STACK)" doctor

backup: ## back STACK up now, to where its backups are
	@$(ENTER) python -m infra.operations.run "$(STACK)" backup

token: ## print STACK's own token; NAME= makes one for somebody: make token NAME=ann ROLE=read EXPIRES=30d
	@$(ENTER) $(if $(filter command,$(origin NAME)),python -m infra.operations.run "$(STACK)" token add "$(NAME)" \
		--role "$(or $(ROLE),write)" $(if $(EXPIRES),--expires "$(EXPIRES)"),\
		python -m infra.operations.status "$(STACK)" --output tracking_token)

logs: ## follow STACK's logs
	@$(ENTER) command=$$(python -m infra.operations.status "$(STACK)" --output logs) && eval "$$command"

rehearse: setup .trackstack/rehearsal.ready ## bring STACK up and down on emulated clouds, with no account
	@$(ENTER) python -m infra.rehearsal "$(STACK)" $(REHEARSE)

dump: setup .trackstack/rehearsal.ready ## what STACK's program sends to its providers, to OUT as JSON; all examples without STACK
	@$(ENTER) python -m infra.rehearsal.dump $(if $(filter-out file environment,$(origin STACK)),"$(STACK)") $(if $(OUT),--out "$(OUT)")

setup: .trackstack/infra.ready ## install the virtual environment, the engine and what STACK needs, where missing
	@$(ENTER) python -m infra.operations.setup "$(STACK)"

.trackstack/infra.ready: requirements.lock pyproject.toml tools/venv.sh tools/engine/install.py
	@echo "setup: installing the virtual environment (about a minute)"
	@tools/venv.sh infra
	@.venv/bin/python tools/engine/install.py
	@tools/state.sh
	@touch $@

.trackstack/rehearsal.ready: .trackstack/infra.ready
	@tools/venv.sh infra rehearsal
	@touch $@

.trackstack/docs.ready: .trackstack/infra.ready
	@tools/venv.sh infra docs
	@touch $@

.trackstack/dev.ready: .trackstack/infra.ready
	@tools/venv.sh infra infra-docker infra-azure infra-oci rehearsal dev
	@touch $@

test: lint ## everything: format, lint, types, unit tests, end-to-end tests on real parts; WORKERS= is how many at once
	@$(ENTER) python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

check: format ## the inner loop: format, lint, types of what you changed, fast tests
	@$(ENTER) changed=$$(tools/changed.sh) && { [ -z "$$changed" ] || pyright --warnings $$changed; }
	@$(ENTER) python -m pytest -m "not slow" --quiet --numprocesses $(WORKERS) --dist loadfile

nightly: lint ## what is too long for CI: every example rehearsed in each way, many more cases of each property, all benchmarks
	@$(ENTER) python -m pytest -m "nightly or hypothesis" --hypothesis-profile nightly --timeout 3600
	@$(ENTER) python -m tests.bench

format: .trackstack/dev.ready ## format and lint
	@$(ENTER) ruff format --check --quiet . && ruff check --quiet .

# Two minutes on two cores, most of them for the types.
lint: format ## format, lint, and the types of all there is
	@$(ENTER) pyright --warnings

bench: .trackstack/dev.ready ## ours beside plain MLflow, in one run: make bench BENCH="server gc"
	@$(ENTER) python -m tests.bench $(BENCH)

reference: .trackstack/dev.ready ## renew docs/reference, stacks/schema.json and Pulumi.yaml from the code
	@$(ENTER) python -m tools.reference

docs: .trackstack/docs.ready ## build the site of docs/, and fail where a link leads nowhere: .trackstack/site/index.html
	@$(ENTER) NO_MKDOCS_2_WARNING=true mkdocs build --strict --clean

lock: .trackstack/dev.ready ## renew requirements.lock from pyproject.toml
	@$(UV) pip compile --quiet pyproject.toml --universal --generate-hashes --upgrade \
		--no-annotate --no-header --all-extras $(GROUPS:%=--group %) -o requirements.lock
	@for file in runtime/image/mlflow-*.lock; do \
		version=$${file#*mlflow-}; \
		printf "mlflow%s==$${version%.lock}.*\n" "" -skinny -tracing | $(UV) pip compile --quiet --no-deps \
			--universal --generate-hashes --upgrade --no-annotate --no-header - -o "$$file"; \
	done

clean: ## remove what was installed; state and data stay
	rm -rf .venv .trackstack/*.ready .trackstack/uv .trackstack/engine
