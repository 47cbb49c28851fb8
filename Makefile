# make drive    drive the small world, closed loop; out/drive.mp4     (POLICY=name CHECKPOINT=path ARGS='--command "turn left"')
# make drive BAG=path   play a bag into the driver and show what it plans             (RIG=config/x.yaml POLICY= CHECKPOINT=)
# make test     every test; the ROS-free core on every Python from 3.10 to 3.13 that is here
# make audit    known vulnerabilities of the locked dependencies, as PyPI has them
# Driving and testing set up what they need in .venv on a machine without ROS; nothing is written outside this directory.

PYTHON_ENV = .venv/bin/python
DEMO = $(if $(BAG),--bag $(BAG)) $(if $(RIG),--rig $(RIG)) $(if $(POLICY),--policy $(POLICY)) \
       $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(ARGS)

.PHONY: drive replay test test-setup lint audit clean

drive:
	@scripts/ros_env $(if $(filter vla,$(POLICY)),vla,run)
	@$(PYTHON_ENV) -m alpamayo_ros demo $(DEMO)

OUT ?= out/replay
replay:
	@scripts/ros_env replay
	@$(if $(filter vla,$(POLICY)),scripts/ros_env vla)
	@$(PYTHON_ENV) -m alpamayo_ros replay $(BAG) --out $(OUT) $(if $(RIG),--rig $(RIG)) \
	  $(if $(POLICY),--policy $(POLICY)) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(ARGS)

test: test-setup lint
	@$(PYTHON_ENV) -m pytest $(ARGS)
	@$(if $(ARGS),,scripts/core_on_every_python)

test-setup:
	@scripts/ros_env test

audit:
	@scripts/audit

lint: test-setup
	@$(PYTHON_ENV) -m ruff check --quiet .

clean:
	rm -rf .venv out build install log
