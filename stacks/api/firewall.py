"""The firewall before the API, where the setting `api.waf` asks for one.

AWS's managed rules refuse known bad addresses and requests that look like attacks, and one rule bounds what a
single address may send. Bodies are not looked into beyond their first kilobytes, which is all AWS does with a
picture; the rule that refuses bodies above 8 kB only counts, or it would refuse every picture.
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html

Costs: 5 USD a month for the list and 1 USD for each of the four rules, also when idle, and 0.60 USD per
million requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_wafv2 as waf
from constructs import Construct

# Per address in five minutes, which is the rule's window: more than anybody sends by hand.
REQUESTS_PER_ADDRESS = 2000
# Would refuse pictures: bodies above 8 kB, and bytes that happen to look like a script.
_ONLY_COUNTED = ("SizeRestrictions_BODY", "CrossSiteScripting_BODY")


class Firewall(Construct):
    """A web ACL for one stage of a REST API."""

    def __init__(self, scope: Construct, construct_id: str, name: str, stage_arn: str) -> None:
        super().__init__(scope, construct_id)
        acl = waf.CfnWebACL(
            self,
            "Rules",
            name=name,
            description="What may reach the image classification API.",
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(name),
            rules=_rules(),
        )
        waf.CfnWebACLAssociation(self, "Before", resource_arn=stage_arn, web_acl_arn=acl.attr_arn)


def _rules() -> Sequence[waf.CfnWebACL.RuleProperty]:
    kind = waf.CfnWebACL
    managed = (
        ("AWSManagedRulesAmazonIpReputationList", ()),
        ("AWSManagedRulesKnownBadInputsRuleSet", ()),
        ("AWSManagedRulesCommonRuleSet", _ONLY_COUNTED),
    )
    groups = [
        kind.RuleProperty(
            name=group,
            priority=number,
            override_action=kind.OverrideActionProperty(none={}),
            visibility_config=_visible(group),
            statement=kind.StatementProperty(
                managed_rule_group_statement=kind.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS",
                    name=group,
                    rule_action_overrides=[
                        kind.RuleActionOverrideProperty(
                            name=rule, action_to_use=kind.RuleActionProperty(count={})
                        )
                        for rule in counted
                    ]
                    or None,
                )
            ),
        )
        for number, (group, counted) in enumerate(managed, start=1)
    ]
    rate = kind.RuleProperty(
        name="RatePerAddress",
        priority=0,
        action=kind.RuleActionProperty(block={}),
        visibility_config=_visible("RatePerAddress"),
        statement=kind.StatementProperty(
            rate_based_statement=kind.RateBasedStatementProperty(
                limit=REQUESTS_PER_ADDRESS, aggregate_key_type="IP"
            )
        ),
    )
    return [rate, *groups]


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    """Counted in CloudWatch; the requests themselves are not sampled, for they carry people's pictures."""
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
