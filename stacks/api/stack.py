"""The API stack: a picture in, its class out, over HTTPS.

One Lambda answers `POST /classify` and `GET /classes` (with an API key, throttled and counted by a usage
plan), `GET /model`, `GET /openapi.json` and the page at `GET /`. It knows the endpoint by its fixed name, so
this stack needs nothing of the Serving stack. Before the first model it answers 503 with what to do next.

With the setting `corrections.days` senders may give pictures, and say what is on them (corrections.py).

Two settings close it further: `iam_auth` asks for a signature beside the key, `waf` puts a firewall before
it.

Costs: per million requests, and log storage; nothing while nobody calls, unless `waf` is on.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.api.answers import add_error_answers, allow_browsers
from stacks.api.classify import TIMEOUT_SECONDS, classify_function
from stacks.api.corrections import Corrections
from stacks.api.firewall import Firewall
from stacks.api.log_role import ApiLogRole
from stacks.context import Context
from stacks.names import API_STAGE
from stacks.provided import adopt_provided_functions
from stacks.review import accept


class ApiStack(Stack):
    def __init__(self, scope: Construct, context: Context, artifacts: s3.IBucket) -> None:
        names = context.names
        super().__init__(
            scope, names.stack("api"), description="The HTTPS API and the page of the image classifier."
        )
        self._context = context
        corrections = Corrections(self, "Corrections", context) if context.settings.corrections.days else None
        classify = classify_function(self, context, artifacts, corrections.bucket if corrections else None)
        self._api = self._rest_api()
        integration = apigateway.LambdaIntegration(
            classify.function, timeout=Duration.seconds(TIMEOUT_SECONDS), allow_test_invoke=False
        )
        signed = context.settings.api.iam_auth
        if not signed:
            self._api.root.add_method("GET", integration)
        for path in ("model", "openapi.json"):
            self._api.root.add_resource(path).add_method("GET", integration)
        self._keyed("POST", "classify", integration)
        self._keyed("GET", "classes", integration)
        if corrections:
            self._keyed(
                "POST",
                "feedback",
                apigateway.LambdaIntegration(corrections.feedback, allow_test_invoke=False),
            )
            CfnOutput(self, "GivenBucket", value=corrections.bucket.bucket_name)
            CfnOutput(self, "GivenDays", value=str(context.settings.corrections.days))
            CfnOutput(self, "FeedbackFunction", value=corrections.feedback.function_name)
        add_error_answers(self._api, context.settings)
        key = self._usage_plan()
        if context.settings.api.waf:
            Firewall(self, "Firewall", names.api, self._api.deployment_stage.stage_arn)
        self._accept_findings()
        CfnOutput(self, "ApiUrl", value=self._api.url)
        CfnOutput(self, "ApiAuth", value="key and signature" if signed else "key")
        if not signed:
            CfnOutput(self, "PageUrl", value=self._api.url)
        CfnOutput(self, "ApiKeyId", value=key.key_id)
        CfnOutput(self, "ClassifyFunction", value=classify.function.function_name)
        adopt_provided_functions(self, context)

    def _keyed(self, method: str, path: str, integration: apigateway.LambdaIntegration) -> None:
        """A path that asks for the key and by the setting a signature."""
        settings = self._context.settings
        resource = self._api.root.add_resource(path)
        resource.add_method(
            method,
            integration,
            api_key_required=True,
            authorization_type=apigateway.AuthorizationType.IAM if settings.api.iam_auth else None,
        )
        if settings.api.cors_origin:
            allow_browsers(resource, method, settings)

    def _rest_api(self) -> apigateway.RestApi:
        context, settings = self._context, self._context.settings
        access_log = context.log_group(self, "AccessLog", f"/aws/apigateway/{context.names.api}")
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=context.names.api,
            description="Image classification: POST a picture to /classify.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # All bodies reach the Lambda as they were sent; it tells from the bytes what they are.
            binary_media_types=["*/*"],
            cloud_watch_role=False,  # it would replace the account's, and take it away one day
            deploy_options=apigateway.StageOptions(
                stage_name=API_STAGE,
                throttling_rate_limit=settings.api.requests_per_second,
                throttling_burst_limit=settings.api.burst,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=True,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
            ),
        )
        # API Gateway would make this log group itself, without an end to what it keeps.
        execution_log = context.log_group(
            self, "ExecutionLog", f"API-Gateway-Execution-Logs_{api.rest_api_id}/{API_STAGE}"
        )
        api.deployment_stage.node.add_dependency(execution_log)
        if settings.api.account_log_role == "create":
            api.deployment_stage.node.add_dependency(ApiLogRole(self, "LogRole", context))
        return api

    def _usage_plan(self) -> apigateway.IApiKey:
        settings = self._context.settings.api
        key = self._api.add_api_key("Key", description=f"Key of the classifier {self._context.names.api}.")
        plan = self._api.add_usage_plan(
            "Plan",
            description="What one API key may ask for.",
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.requests_per_second, burst_limit=settings.burst
            ),
            quota=apigateway.QuotaSettings(limit=settings.requests_per_day, period=apigateway.Period.DAY),
        )
        plan.add_api_key(key)
        plan.add_api_stage(stage=self._api.deployment_stage)
        return key

    def _accept_findings(self) -> None:
        accept(
            self._api,
            {
                "AwsSolutions-APIG2": "The body is a picture; API Gateway can only check JSON. The Lambda"
                " checks it.",
                "AwsSolutions-APIG3": "A web ACL costs every month, also while nobody calls, so it is a"
                " setting (api.waf); throttling and quota of the API key are the bound without it.",
                "AwsSolutions-APIG4": "/classify and /classes ask for an API key; the page and /model tell"
                " nothing secret and are throttled by the stage.",
                "AwsSolutions-COG4": "Callers are programs with an API key, there are no users to sign in.",
            },
        )
