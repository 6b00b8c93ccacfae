"""Connections to calendars, their secrets and access log, sign-ins and trials under way, and what to mend."""

from collections.abc import Sequence

from django.db import models

from integrations.models.access import AccessRecord as AccessRecord
from integrations.models.access import Why as Why
from integrations.models.approvals import ApprovalRequest as ApprovalRequest
from integrations.models.connections import CalendarConnection as CalendarConnection
from integrations.models.connections import SyncOption as SyncOption
from integrations.models.querysets import LEASE as LEASE
from integrations.models.querysets import MOST_ATTEMPTS as MOST_ATTEMPTS
from integrations.models.sealed import ConnectionSecret as ConnectionSecret
from integrations.models.sealed import LeaseLost as LeaseLost
from integrations.models.sign_ins import OtherAccount as OtherAccount
from integrations.models.sign_ins import SignIn as SignIn
from integrations.models.trials import PasswordTrial as PasswordTrial
from integrations.models.troubles import OperatorTrouble as OperatorTrouble
from integrations.models.unreachable import UnreachableServer as UnreachableServer

SEALED: Sequence[tuple[type[models.Model], str]] = ((ConnectionSecret, "payload"), (SignIn, "flow"))
