users(40)
autofill(
    "otp_static",
    "otp_totp",
    "otp_email",
    "two_factor",
    rows=60,
    given={"two_factor.PhoneDevice.number": lambda n: "+49301234%04d" % n},
)
