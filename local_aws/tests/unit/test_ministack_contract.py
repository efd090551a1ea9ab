"""What the local AWS uses of ministack beyond its documented face. A new version has to pass this first."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from local_aws import ministack_adapter
from local_aws.root_key import RootKey

# module -> names that local_aws.ministack_adapter uses, with the parameters it relies on (None: no function).
USED: dict[str, dict[str, tuple[str, ...] | None]] = {
    "ministack.app": {
        "app": ("scope", "receive", "send"),
        "AUTH": None,
        "SERVICE_HANDLERS": None,
        "SERVICE_NAME_ALIASES": None,
        "SERVICE_REGISTRY": None,
        "_HEALTH_PATHS": None,
        "_build_persistence_save_dict": (),
        "_lazy_handler": ("module_name",),
        "_loaded_modules": None,
        "_state_map": None,
    },
    "ministack.core.iam_actions": {
        "identity_denial_message": ("action", "principal_arn", "resource", "explicit_deny"),
        "extract_iam_action": ("service", "method", "path", "headers", "body", "query_params"),
        "access_denied_response": ("service", "error_code", "resource_arn"),
        "request_tag_context": ("service", "iam_action", "body", "params"),
    },
    "ministack.core.iam_evaluator": {
        "AuthError": None,
        "CredentialResolutionError": None,
        "EvalContext": None,
        "_action_matches": ("request_action", "actions", "not_actions"),
        "_conditions_met": ("conditions", "ctx"),
        "_gather_role_policies": ("role_name", "account_id"),
        "_principal_matches": ("principal", "caller_arn"),
        "_service_principal_matches": ("principal", "service"),
        "is_root_access_key": ("access_key_id",),
        "resolve_credential": ("access_key_id", "account_id"),
        "evaluate": ("ctx", "policies"),
        "enforce": ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    },
    "ministack.core.persistence": {
        "STATE_DIR": None,
        "_json_default": ("obj",),
        "_state_format_version": ("service",),
    },
    "ministack.core.lambda_runtime": {"execution_credentials": ("config",)},
    "ministack.core.responses": {
        "fix_error_content_type": ("service", "status", "headers"),
        "get_account_id": (),
        "get_region": (),
    },
    "ministack.core.router": {
        "detect_service": ("method", "path", "headers", "query_params"),
        "extract_access_key_id": ("headers", "query_params"),
    },
    "ministack.services.apigateway_v1": {
        "_build_lambda_event_v1": (
            *("api_id", "stage_name", "stage", "resource", "request_path", "method", "headers", "body"),
            *("query_params", "path_params", "binary_media_types"),
        ),
        "_call_lambda_raw": ("function_ref", "event"),
        "_gw_error": ("response_type", "message"),
        "_invoke_lambda_proxy_v1": ("integration",),
        "_media_type_matches": ("media_type", "binary_media_types"),
        "handle_execute": ("api_id", "stage_name", "method", "path", "headers", "body", "query_params"),
    },
    "ministack.services.cloudformation": {
        "_stacks": None,
        "handle_request": ("method", "path", "headers", "body", "query_params"),
    },
    "ministack.services.cloudformation.handlers": {
        "_ACTION_HANDLERS": None,
        "_evaluate_conditions": ("template", "params"),
        "_resolve_parameters": ("template", "provided_params"),
        "_resolve_stack": ("stack_name",),
    },
    "ministack.services.cloudformation.helpers": {
        "_error": ("code", "message", "status"),
        "_p": ("params", "key", "default"),
    },
    "ministack.services.cloudformation.provisioners": {
        "_CUSTOM_NAME_REPLACEMENT": None,
        "_REPLACING_PROPERTIES": None,
        "_RESOURCE_HANDLERS": None,
        "_STACK_TAG_PROPERTY": None,
        "_delete_resource": ("resource_type", "physical_id", "props", "stack_name", "logical_id"),
    },
    "ministack.services.cloudformation.stacks": {
        "_add_event": ("stack_id", "stack_name", "logical_id", "resource_type", "status", "reason"),
        "_continue_update_rollback_async": ("stack_name", "stack_id"),
        "_create_stack_task_in_region": ("coro", "stack", "stack_id"),
        "_delete_stack_async": ("stack_name", "stack_id"),
        "_deploy_stack_async": ("stack_name", "stack_id", "template"),
        "_evaluate_conditions": ("template", "params"),
        "_roll_back_operation": ("stack_name", "stack_id", "stack", "operation", "reason_override"),
        "_runs_on_worker_thread": ("resource_type",),
    },
    "ministack.services.cloudformation.changesets": {"_find_change_set": ()},
    "ministack.services.codebuild": {
        "_builds": None,
        "_finish_build": ("build", "status"),
        "_projects": None,
        "_start_build": ("data",),
    },
    "ministack.services.cloudwatch": {
        "_calc_stats": ("points",),
        "_dispatch_alarm_actions": ("alarm", "old_state", "new_state", "reason"),
        "_evaluate_alarm": ("alarm",),
        "_evaluate_parent_alarms": ("child", "seen"),
        "_metrics": None,
        "_record_history": ("alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"),
        "_stat_value": ("stats", "stat_name", "points"),
    },
    "ministack.services.cloudwatch_logs": {
        "_filter_log_events": ("data",),
        "_log_groups": None,
        "_make_group_arn": ("name",),
        "_resolve_log_group_name": ("data",),
    },
    "ministack.services.ecr": {
        "_batch_delete_image": ("data",),
        "_find_image": ("repo_name", "image_id"),
    },
    "ministack.services.eventbridge": {
        "_dispatch_to_lambda": ("arn", "payload"),
        "_rule_key": ("rule_name", "bus_name"),
        "_targets": None,
        "_put_events": ("data", "allow_aws_source"),
    },
    "ministack.services.lambda_svc": {
        "_BLOB_REF_KEY": None,
        "_LAMBDA_ASYNC_RETRY_BASE_SECONDS": None,
        "_LAMBDA_ASYNC_RETRY_MAX_SECONDS": None,
        "_emit_lambda_logs": ("func", "request_id", "log_text", "error", "duration_ms"),
        "_execute_function_with_config_scope": ("func", "event"),
        "_execution_record_for_config": ("func", "config"),
        "_get_func_record_for_ref": (),
        "_prune_orphan_code_blobs": ("referenced",),
        "_read_code_blob": ("sha",),
        "_route_async_failure": (),
        "_run_with_function_config_scope": ("func_or_config", "callback"),
        "_write_code_blob": ("code_zip",),
        "execution_credentials": ("config",),
        "get_state": (),
        "invoke_async_with_retry": ("func", "event"),
        "load_persisted_state": ("data",),
    },
    "ministack.services.iam": {
        "_error": (),
        "_aws_managed_policies": None,
        "_is_aws_managed_arn": ("arn",),
        "_make_aws_managed_record": ("name", "document"),
        "policy_known": ("arn",),
        "_gen_secret": (),
        "_gen_session_access_key": (),
        "_gen_session_token": (),
        "_roles": None,
    },
    "ministack.services.s3": {
        "_buckets": None,
        "DATA_DIR": None,
        "_PERSISTED_BUCKET_DICTS": None,
        "_abort_multipart_upload": ("bucket_name", "key", "query_params"),
        "_complete_multipart_upload": ("bucket_name", "key", "body", "query_params", "headers"),
        "_create_multipart_upload": ("bucket_name", "key", "headers"),
        "_delete_persisted_object": ("bucket_name", "key"),
        "_delete_version_file": ("bucket_name", "key", "version_id"),
        "_dispatch": ("method", "bucket", "key", "headers", "body", "query_params"),
        "_error": ("code", "message", "status"),
        "_key_history_meta": ("bucket_name", "key"),
        "_load_persisted_bucket": ("account_id", "bucket_name", "bucket_path"),
        "_multipart_uploads": None,
        "_no_such_bucket": ("name",),
        "_object_acl": None,
        "_object_annotations": None,
        "_object_disk_path": ("bucket", "key"),
        "_object_legal_hold": None,
        "_object_meta_from_record": ("obj",),
        "_object_retention": None,
        "_object_tags": None,
        "_object_versions": None,
        "_other_key_disk_path": ("base", "key", "fpath"),
        "_parse_bucket_key": ("path", "headers"),
        "_persist_delete_marker": ("bucket_name", "key", "marker"),
        "_persist_displaced_version": ("bucket_name", "key", "prior_obj", "versioning"),
        "_persist_object": ("bucket", "key", "obj"),
        "_persisted_key_files": ("bucket_path", "sidecars"),
        "_qp": ("params", "key", "default"),
        "_read_body": ("bucket_name", "key", "obj"),
        "_remove_key_files": ("fpath",),
        "_upload_part": ("bucket_name", "key", "body", "query_params", "headers"),
        "_upload_part_copy": ("bucket_name", "dest_key", "query_params", "headers"),
        "_version_disk_path": ("bucket", "key", "version_id"),
        "get_account_id": (),
        "_resolve_sse_write_headers": ("headers", "bucket_name"),
    },
    "ministack.services.ssm": {"_param_arn": ("name",)},
    "ministack.services.sts": {
        "_error": (),
        "_assumed_role_arn": ("role_arn", "session_name"),
        "is_root_access_key": ("access_key_id",),
        "register_session": ("access_key", "session"),
    },
}


@pytest.mark.parametrize("module", USED)
def test_every_private_name_is_there_and_takes_what_it_is_given(module: str) -> None:
    found = importlib.import_module(module)
    for name, parameters in USED[module].items():
        assert hasattr(found, name), f"{module}.{name} is gone"
        if parameters is not None:
            known = list(inspect.signature(getattr(found, name)).parameters)
            missing = [parameter for parameter in parameters if parameter not in known]
            assert not missing, f"{module}.{name} takes {known}, without {missing}"


ROOM = Path(ministack_adapter.__file__).parent


def private_names(path: Path) -> set[tuple[str, str]]:
    """The private names of ministack's modules that a file of ours uses."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return {
        (modules[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.attr.startswith("_") and modules.get(node.value.id, "").startswith("ministack.")
    }


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_every_private_name_that_is_used_is_asserted_here(path: Path) -> None:
    assert {name for name in private_names(path) if name[1] not in USED.get(name[0], {})} == set()


def test_ministack_is_known_in_one_room_and_each_of_its_patches_is_explained() -> None:
    imports = re.compile(r"^\s*(from|import) ministack\b", re.MULTILINE)
    package = ROOM.parent
    knowing = {path for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert {path.parent for path in knowing} == {ROOM}
    table = re.findall(r"^([a-z_, ]+?)  +[A-Z]", ministack_adapter.__doc__ or "", re.MULTILINE)
    explained = {name for names in table for name in names.split(", ")}
    patching = {path.stem for path in ROOM.glob("*.py") if "def install(" in path.read_text()}
    assert patching <= explained


def test_the_pinned_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("ministack") == ministack_adapter.VERSION


def test_another_version_is_refused_before_it_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "9.9.9")
    key = RootKey("LOCALAWSROOT", "secret")
    with pytest.raises(ministack_adapter.WrongMinistackError, match=r"ministack 9\.9\.9 is installed"):
        ministack_adapter.configure(4566, tmp_path, "000000000000", "us-east-1", key)


def test_our_types_are_not_ministacks_own_yet() -> None:
    """When ministack learns one of these, our handler would shadow it: decide then which is better."""
    provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
    ours = (
        "AWS::SageMaker::Model",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Endpoint",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::IAM::RolePolicy",
    )
    assert [name for name in ours if name in provisioners._RESOURCE_HANDLERS] == []


def test_requests_signed_for_our_services_are_routed_by_their_scope() -> None:
    router = importlib.import_module("ministack.core.router")
    for scope in ("sagemaker", "application-autoscaling", "servicequotas"):
        signed = (
            f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{scope}/aws4_request, SignedHeaders=host"
        )
        headers = {"authorization": signed, "host": "127.0.0.1:4566"}
        assert router.detect_service("POST", "/", headers, {}) == scope
        path = "/endpoints/x/invocations"
        assert router.detect_service("POST", path, headers, {}) == scope


def test_the_names_of_objects_files_are_ministacks_own() -> None:
    """`object_files` reads the folder before ministack may be imported, and so has them a second time."""
    object_files = importlib.import_module("local_aws.ministack_adapter.object_files")
    s3 = importlib.import_module("ministack.services.s3")
    assert s3._VERSIONS_DIR == object_files.VERSIONS
    for end in (object_files.NEW, object_files.SIDECAR):
        assert not s3._plain_path_key(f"a/name{end}"), "a key of that end must lie elsewhere"
