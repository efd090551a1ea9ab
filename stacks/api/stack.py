"""The public HTTPS API: a picture in, its class out.

One Lambda answers `POST /classify` (with an API key, throttled and counted by a usage plan), `GET /model` and
the page at `GET /`. It knows the endpoint by its fixed name, so this stack needs nothing of the Serving stack
and is there before the first model: it then answers 503 with what to do next. What API Gateway itself refuses
(no key, too many, too large) is answered in the same JSON form as the Lambda's own errors.

Two settings close it further: `iam_auth` asks for a signature beside the key, `waf` puts a firewall before it
(stacks/firewall.py).

Costs: per million requests, and log storage; nothing while nobody calls, unless `waf` is on.
"""

from __future__ import annotations

import json

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from contract.environment import ClassifyEnvironment
from stacks.api.firewall import Firewall
from stacks.api.log_role import ApiLogRole
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import arn
from stacks.review import accept
from stacks.training.launching import call_promote_model

STAGE = "live"
# API Gateway gives up on an integration after 29 seconds.
TIMEOUT_SECONDS = 29


class ApiStack(Stack):
    def __init__(self, scope: Construct, context: Context) -> None:
        names = context.names
        super().__init__(
            scope, names.stack("api"), description="The HTTPS API and the page of the image classifier."
        )
        self._context = context
        classify = self._classify_function()
        self._api = self._rest_api()
        integration = apigateway.LambdaIntegration(
            classify.function, timeout=Duration.seconds(TIMEOUT_SECONDS), allow_test_invoke=False
        )
        signed = context.settings.api.iam_auth
        if not signed:
            self._api.root.add_method("GET", integration)
        self._api.root.add_resource("model").add_method("GET", integration)
        picture = self._api.root.add_resource("classify")
        picture.add_method(
            "POST",
            integration,
            api_key_required=True,
            authorization_type=apigateway.AuthorizationType.IAM if signed else None,
        )
        if context.settings.api.cors_origin:
            self._allow_browsers(picture)
        self._error_answers()
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

    def _classify_function(self) -> PythonFunction:
        context, names, settings = self._context, self._context.names, self._context.settings.api
        components = context.settings.serving.scale_to_zero
        environment = ClassifyEnvironment(
            project=context.settings.project,
            endpoint_name=names.endpoint,
            champion_parameter=names.champion_parameter,
            promote_function=names.function("promote-model"),
            max_image_bytes=context.settings.max_image_bytes,
            inference_component=names.inference_component if components else "",
            allowed_origin=settings.cors_origin,
        )
        invoked = [arn(self, "sagemaker", "endpoint", names.endpoint)]
        described = []
        if components:
            component = arn(self, "sagemaker", "inference-component", names.inference_component)
            invoked.append(component)
            described.append(
                iam.PolicyStatement(actions=["sagemaker:DescribeInferenceComponent"], resources=[component])
            )
        return PythonFunction(
            self,
            "Classify",
            name=names.function("classify"),
            module="classify",
            description="Takes a picture to the endpoint and its answer, or a clear error, back.",
            folders=context.folders,
            environment=environment,
            statements=[
                iam.PolicyStatement(actions=["sagemaker:InvokeEndpoint"], resources=invoked),
                iam.PolicyStatement(
                    actions=["sagemaker:DescribeEndpoint"],
                    resources=[arn(self, "sagemaker", "endpoint", names.endpoint)],
                ),
                *described,
                # GET /model tells what the endpoint has loaded, which may lag behind the champion.
                *(
                    iam.PolicyStatement(
                        actions=[action],
                        resources=[
                            arn(self, "sagemaker", kind, f"{prefix}*") for prefix in names.generated_prefixes
                        ],
                    )
                    for action, kind in (
                        ("sagemaker:DescribeEndpointConfig", "endpoint-config"),
                        ("sagemaker:DescribeModel", "model"),
                    )
                ),
                iam.PolicyStatement(
                    actions=["sagemaker:DescribeModelPackage"],
                    resources=[arn(self, "sagemaker", "model-package", f"{names.model_package_group}/*")],
                ),
                iam.PolicyStatement(
                    actions=["ssm:GetParameterHistory"],
                    resources=[arn(self, "ssm", "parameter", names.champion_parameter.removeprefix("/"))],
                ),
                # A picture wakes a model that sleeps.
                call_promote_model(self, context),
            ],
            log_retention=context.log_retention,
            timeout_seconds=TIMEOUT_SECONDS,
            # A share of processor comes with the memory: half a gigabyte halves the time base64 takes.
            memory_mb=512,
        )

    def _rest_api(self) -> apigateway.RestApi:
        context, settings = self._context, self._context.settings
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{context.names.api}",
            retention=context.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
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
                stage_name=STAGE,
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
        execution_log = logs.LogGroup(
            self,
            "ExecutionLog",
            log_group_name=f"API-Gateway-Execution-Logs_{api.rest_api_id}/{STAGE}",
            retention=context.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        api.deployment_stage.node.add_dependency(execution_log)
        if settings.api.account_log_role == "create":
            api.deployment_stage.node.add_dependency(ApiLogRole(self, "LogRole", context))
        return api

    def _allow_browsers(self, resource: apigateway.Resource) -> None:
        """Answer a browser's question whether another site's script may send pictures here (CORS
        preflight).
        """
        parameters = {
            "Access-Control-Allow-Origin": f"'{self._context.settings.api.cors_origin}'",
            "Access-Control-Allow-Methods": "'POST,OPTIONS'",
            # A signature comes in the headers that begin with `authorization` and `x-amz`.
            "Access-Control-Allow-Headers": "'content-type,x-api-key,authorization,x-amz-date,"
            "x-amz-security-token,x-amz-content-sha256'"
            if self._context.settings.api.iam_auth
            else "'content-type,x-api-key'",
            "Access-Control-Max-Age": "'86400'",
        }
        headers = {f"method.response.header.{name}": value for name, value in parameters.items()}
        resource.add_method(
            "OPTIONS",
            apigateway.MockIntegration(
                # With binary media types `*/*` a mock answers 500 unless its (empty) body is taken for text.
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                request_templates={"application/json": '{"statusCode": 204}'},
                integration_responses=[
                    apigateway.IntegrationResponse(status_code="204", response_parameters=headers)
                ],
            ),
            method_responses=[
                apigateway.MethodResponse(status_code="204", response_parameters=dict.fromkeys(headers, True))
            ],
        )

    def _error_answers(self) -> None:
        """Errors of API Gateway itself, in the form that docs/api.md promises."""
        kind = apigateway.ResponseType
        settings = self._context.settings
        origin = settings.api.cors_origin
        most = f"at most {settings.max_image_bytes / 1e6:.1f} MB are taken. Send a smaller one."
        signed = (
            # API Gateway says the same of a path that does not exist and of a request without a signature.
            ("Unknown", kind.MISSING_AUTHENTICATION_TOKEN, "403", "Forbidden", f"{_SIGN} {_SIGNED_PATHS}"),
            ("Signature", kind.INVALID_SIGNATURE, "403", "Forbidden", f"The signature is wrong. {_SIGN}"),
            ("Expired", kind.EXPIRED_TOKEN, "403", "Forbidden", f"The signature has expired. {_SIGN}"),
            ("Denied", kind.ACCESS_DENIED, "403", "Forbidden", "You may not execute-api:Invoke this path."),
            # Credentials that nobody has, or half a signature, have no type of their own.
            ("Credentials", kind.DEFAULT_4_XX, None, "Forbidden", f"The credentials are unknown. {_SIGN}"),
        )
        unsigned = (("Unknown", kind.MISSING_AUTHENTICATION_TOKEN, "404", "NotFound", _KNOWN_PATHS),)
        firewall = (("Firewall", kind.WAF_FILTERED, "403", "Forbidden", "The firewall refused the request."),)
        for construct_id, response_type, status, code, message in (
            ("NoKey", kind.INVALID_API_KEY, "403", "Forbidden", "Send your API key in the header x-api-key."),
            *(signed if settings.api.iam_auth else unsigned),
            *(firewall if settings.api.waf else ()),
            ("Throttled", kind.THROTTLED, "429", "TooManyRequests", "Too many requests; wait and repeat."),
            ("Quota", kind.QUOTA_EXCEEDED, "429", "QuotaExceeded", "The key's quota for today is used up."),
            (
                "TooLarge",
                kind.REQUEST_TOO_LARGE,
                "413",
                "PayloadTooLarge",
                f"The picture is too large: {most}",
            ),
            ("Timeout", kind.INTEGRATION_TIMEOUT, "504", "Timeout", "No answer in time; repeat later."),
            ("Failure", kind.INTEGRATION_FAILURE, "502", "BadGateway", "The service failed; repeat later."),
            # Whatever else goes wrong in the gateway keeps its own status.
            ("Other", kind.DEFAULT_5_XX, None, "InternalError", "The service failed; repeat later."),
        ):
            self._api.add_gateway_response(
                construct_id,
                type=response_type,
                status_code=status,
                response_headers={"Access-Control-Allow-Origin": f"'{origin}'"} if origin else None,
                templates={
                    "application/json": json.dumps(
                        {"error": {"code": code, "message": message}, "request_id": "$context.requestId"}
                    )
                },
            )

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
                "AwsSolutions-APIG4": "/classify asks for an API key; the page and /model tell nothing"
                " secret and are throttled by the stage.",
                "AwsSolutions-COG4": "Callers are programs with an API key, there are no users to sign in.",
            },
        )


_KNOWN_PATHS = "There is POST /classify, GET /model and GET / here."
_SIGNED_PATHS = "There is POST /classify and GET /model here."
_SIGN = "Sign the request with AWS credentials (Signature Version 4, service execute-api)."
