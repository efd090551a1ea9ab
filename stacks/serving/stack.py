"""The Serving stack: an endpoint while there is a champion, and nothing before.

Its parameters, champion and instance type, are read from SSM at every update, whether `cdk deploy` or the
promotion makes it, so both always mean the same model on the same machine. While the champion is `none`, a
condition keeps model, endpoint, scaling and alarms out.

A new champion makes a new model and endpoint configuration, and CloudFormation moves the endpoint over
blue/green. From two instances on the alarms watch a canary first; with one they watch the new model while the
old one is kept. Any of them rolls the update back.

The stack is deployed under a role of its own (deployment_role.py). It knows other stacks by fixed names; only
where answers are captured it imports the bucket's.

Costs: instances by the second while the endpoint exists (min_instances to max_instances of them; with
scale_to_zero none while nobody asks, and serverless by the millisecond of answering), and as many as
min_instances more while a candidate is compared, where the setting asks for it; the alarms are within the ten
that are free. Nothing without a champion.
"""

from __future__ import annotations

from typing import cast

from aws_cdk import (
    CfnCondition,
    CfnOutput,
    CfnParameter,
    DefaultStackSynthesizer,
    Fn,
    ICfnConditionExpression,
    Stack,
)
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contract.names import NO_CHAMPION
from stacks.context import Context
from stacks.names import role_arn
from stacks.serving.alarms import rollback_alarms
from stacks.serving.hosting import (
    OnlyWithChampion,
    ResourceT,
    component,
    endpoint_config,
    isolates_its_model,
)
from stacks.serving.hourly import comparison, statement
from stacks.serving.scaling import scale_copies, scale_instances
from stacks.serving.shadow import Candidate
from stacks.settings.serving import SERVERLESS, is_burstable


class ServingStack(Stack):
    def __init__(self, scope: Construct, context: Context, artifacts: s3.IBucket) -> None:
        names = context.names
        super().__init__(
            scope,
            names.stack("serving"),
            description="The champion model's endpoint, its scaling and its rollback alarms.",
            synthesizer=DefaultStackSynthesizer(
                # CDK's tool fills in the placeholders when it deploys.
                cloud_formation_execution_role="arn:${AWS::Partition}:iam::${AWS::AccountId}:role/"
                + names.of_cdk_tool.serving_deployment_role,
                # The rule reads a parameter of the bootstrap stack, which is not this role's business.
                generate_bootstrap_version_rule=False,
            ),
        )
        self._context = context
        self._champion = CfnParameter(
            self,
            "ChampionParameter",
            type="AWS::SSM::Parameter::Value<String>",
            default=names.champion_parameter,
            description="SSM parameter with the ARN of the model package to serve, or the word none.",
        )
        self._exists = CfnCondition(
            self,
            "ChampionExists",
            expression=Fn.condition_not(Fn.condition_equals(self._champion.value_as_string, NO_CHAMPION)),
        )
        self._instance_type = self._instance_type_parameter()
        model = self._model("Model", self._champion.value_as_string)
        config = self._only_with_champion(
            endpoint_config(self, context, model, artifacts, self._instance_type)
        )
        if context.settings.serving.shadows:
            self._add_candidate(config, artifacts)
        alarms = rollback_alarms(self, context, config, self._only_with_champion)
        endpoint = self._endpoint(config, alarms)
        if context.settings.serving.scale_to_zero:
            copies = self._only_with_champion(component(self, context, endpoint, model, alarms))
            scale_copies(self, context, copies, self._only_with_champion)
        elif context.settings.serving.flavour != SERVERLESS:
            scale_instances(self, context, endpoint, self._only_where_it_scales())
        CfnOutput(self, "EndpointName", value=names.endpoint)
        CfnOutput(self, "Champion", value=self._champion.value_as_string)
        if self._instance_type:
            CfnOutput(self, "InstanceType", value=self._instance_type)
        CfnOutput(self, "HourlyCost", value=statement(context.settings.serving))

    def _instance_type_parameter(self) -> str:
        """What the endpoint runs on; empty for one without instances.

        Read from SSM as the champion is: promote-model takes the first of the settings' types that can be
        had, and a later `cdk deploy` has to mean the same.
        """
        if self._context.settings.serving.flavour == SERVERLESS:
            return ""
        return CfnParameter(
            self,
            "InstanceTypeParameter",
            type="AWS::SSM::Parameter::Value<String>",
            default=self._context.names.instance_type_parameter,
            description="SSM parameter with the instance type of the endpoint.",
        ).value_as_string

    def _only_where_it_scales(self) -> OnlyWithChampion:
        """Keep scaling away from burstable instances, for which AWS refuses it."""
        fixed = [each for each in self._context.settings.serving.instances if is_burstable(each)]
        if not fixed:
            return self._only_with_champion
        others = [Fn.condition_not(Fn.condition_equals(self._instance_type, each)) for each in fixed]
        exists = cast(ICfnConditionExpression, self._exists)  # it is one, less a name of jsii's own
        scales = CfnCondition(self, "Scales", expression=Fn.condition_and(exists, *others))

        def keep(resource: ResourceT) -> ResourceT:
            self._only_with_champion(resource)
            resource.cfn_options.condition = scales
            return resource

        return keep

    def _add_candidate(self, config: sagemaker.CfnEndpointConfig, artifacts: s3.IBucket) -> None:
        """The model that answers a copy of the traffic, while there is one to compare."""
        candidate = Candidate(self, self._context, self._exists)
        model = self._model("CandidateModel", candidate.package)
        model.cfn_options.condition = candidate.shadows
        candidate.put_into(config, model, self._instance_type, artifacts)
        CfnOutput(self, "Candidate", value=candidate.package)
        CfnOutput(self, "ComparisonCost", value=comparison(self._context.settings.serving))

    def _model(self, construct_id: str, package: str) -> sagemaker.CfnModel:
        isolated = isolates_its_model(self._context)
        model = sagemaker.CfnModel(
            self,
            construct_id,
            execution_role_arn=role_arn(self, self._context.names.endpoint_role),
            # The server needs no network: SageMaker brings the model and takes the logs away.
            enable_network_isolation=True if isolated else None,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                model_package_name=package,
                environment={"MODEL_PACKAGE_ARN": package},
            ),
        )
        if not isolated:
            why = "The endpoint's configuration isolates components, and AWS isolates no serverless endpoint."
            model.add_metadata("checkov", {"skip": [{"id": "CKV_AWS_370", "comment": why}]})
        return self._only_with_champion(model)

    def _endpoint(
        self, config: sagemaker.CfnEndpointConfig, alarms: list[cloudwatch.CfnAlarm]
    ) -> sagemaker.CfnEndpoint:
        serving = self._context.settings.serving
        endpoint = sagemaker.CfnEndpoint
        # A canary takes at most half of the fleet, so it needs two instances. A single one is replaced at
        # once; what bakes it is the time for which the old one is kept: until its end the alarms roll back.
        canary = max(1, serving.min_instances * serving.canary_percent // 100)
        several = serving.min_instances > 1
        return self._only_with_champion(
            endpoint(
                self,
                "Endpoint",
                endpoint_name=self._context.names.endpoint,
                endpoint_config_name=config.attr_endpoint_config_name,
                # Otherwise each promotion would put the autoscaled number of instances back to the first one.
                retain_all_variant_properties=True if serving.has_own_instances else None,
                # A component brings its own: the endpoint beneath it stays as it is.
                deployment_config=None
                if serving.scale_to_zero
                else endpoint.DeploymentConfigProperty(
                    blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
                        traffic_routing_configuration=endpoint.TrafficRoutingConfigProperty(
                            type="CANARY" if several else "ALL_AT_ONCE",
                            wait_interval_in_seconds=serving.bake_seconds if several else 0,
                            canary_size=endpoint.CapacitySizeProperty(type="INSTANCE_COUNT", value=canary)
                            if several
                            else None,
                        ),
                        maximum_execution_timeout_in_seconds=3600 + 2 * serving.bake_seconds,
                        termination_wait_in_seconds=0 if several else serving.bake_seconds,
                    ),
                    auto_rollback_configuration=endpoint.AutoRollbackConfigProperty(
                        alarms=[endpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
                    ),
                ),
            )
        )

    def _only_with_champion(self, resource: ResourceT) -> ResourceT:
        """Keep a resource out of the stack until there is a champion, and give it the project's own
        logical id.
        """
        resource.cfn_options.condition = self._exists
        resource.override_logical_id(f"{self._context.names.champion_prefix}{resource.node.id}")
        return resource
