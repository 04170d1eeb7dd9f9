"""The settings about who may register and how mail is sent; `config.Settings` has them among the others."""

import re
from typing import Literal

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

NAME = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
# The texts that these settings may have, and how to say so.
FORMS = {
    "registration": (
        re.compile(rf"open|invite|closed|domain: *{NAME}( *, *{NAME})*"),
        "must be open, invite, closed, or domain: with domains, such as domain:example.org,example.com",
    ),
    "mail_url": (
        re.compile(r"smtps?://([^\s@/:]+:[^\s@/:]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/?"),
        "must be smtp:// or smtps:// with user:password@host:port; in a password, write @ as %40, : as %3A, / as %2F",
    ),
    "mail_from": (
        re.compile(r"[^\s@<>]+@[^\s@<>]+|[^@<>\r\n]+ <[^\s@<>]+@[^\s@<>]+>"),
        "must be an address, such as dumbwaiter@example.com, or Name <dumbwaiter@example.com>",
    ),
}


class PeopleSettings(BaseModel):
    registration: str = ""
    mail_url: str = ""
    mail_from: str = ""
    require_2fa: Literal["", "administrators", "everybody"] = ""

    @field_validator("registration", "mail_url", "mail_from")
    @classmethod
    def _in_its_form(cls, value: str, info: ValidationInfo) -> str:
        form, words = FORMS[str(info.field_name)]
        if value and not form.fullmatch(value):
            raise ValueError(words)
        return value

    @model_validator(mode="after")
    def _can_send_mail(self) -> "PeopleSettings":
        if self.mail_url and not self.mail_from:
            raise ValueError("MAIL_FROM: must be set with MAIL_URL, to the address that mails come from")
        if self.registration_domains and not self.mail_url:
            raise ValueError(
                "MAIL_URL: must be set with REGISTRATION=domain:…, because addresses are proved by mail. "
                "Without mail, use REGISTRATION=invite."
            )
        return self

    @property
    def registration_domains(self) -> tuple[str, ...]:
        """The domains of the addresses that may register; none if the domain does not matter."""
        names = self.registration.partition(":")[2].lower().split(",")
        return tuple(name.strip() for name in names if name)
