"""Messages about the administration of users."""

NO_EMAIL = "Enter an e-mail address, such as name@example.com."
HAS_ACCOUNT = "There is an account with this address."
CLOSED = "REGISTRATION is closed, so nobody can accept an invitation."
NOT_YOURSELF = "You can't take your own rights away. Ask another administrator."
NO_USER = "There is no such user."
