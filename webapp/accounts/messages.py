"""Messages about logging in, registering, passwords and tokens."""

NO_EMAIL = "Enter an e-mail address, such as name@example.com."
EMAIL_TAKEN = "An account with this address already exists. Log in instead."
WRONG_CREDENTIALS = "Incorrect e-mail address or password."
INCORRECT = "Incorrect password."
DISABLED = "This account is disabled. Contact the administrator."
TOO_MANY_ATTEMPTS = "Too many failed attempts. Try again in {minutes} minutes."
TOO_SHORT = "Use at least {shortest} characters."
TOO_LONG = "Use at most {longest} characters."
TOO_PLAIN = "Use at least four different characters."
OF_ADDRESS = "Choose a password that is not your e-mail address."
TOO_MANY_ACCOUNTS = "Too many accounts have been created from here. Try again in {minutes} minutes."
TOO_COMMON = "This password is too common. Choose another."
LAST_ADMINISTRATOR = "You are the only administrator. Make somebody else an administrator first."
ADMINISTRATORS_ONLY = "Only administrators can see this page."
NAME_MISSING = "Enter a name of up to 100 characters that says what the token is for."
NO_SCOPES = "Choose at least one."
TOO_MANY_TOKENS = "You have {most} tokens. Revoke one first."
BY_INVITATION = "Accounts are created by invitation here. Ask an administrator for an invitation, and open its link."
REGISTRATION_CLOSED = "No new accounts are created here. Ask an administrator if you need one."
NOT_INVITED = "This invitation has been used, revoked or has expired. Ask for a new one."
LINK_USED = "This link has been used or has expired. Ask an administrator for a new one."
TOO_MANY_WEBHOOKS = "You have {most} webhooks. Delete one first."
WEBHOOK_DISABLED = "This webhook is disabled. Enable it first."
DISABLED_BECAUSE = {
    "gone": "Its receiver answered 410 Gone.",
    "failing": "Every message failed for three days.",
    "account": "Your account was disabled.",
}
